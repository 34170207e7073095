%% What the tests ask of Erlang's ssh. Arguments: host, port, login, folder with id_ed25519 or id_rsa.
-module(client).
-export([main/1]).

main([Host, Port, Login, Folder]) ->
    {ok, _} = application:ensure_all_started(ssh),
    {ok, Connection} = ssh:connect(Host, list_to_integer(Port),
        [{user, Login}, {user_dir, Folder}, {silently_accept_hosts, true}, {user_interaction, false}], 15000),
    {ok, Channel} = ssh_connection:session_channel(Connection, 15000),
    success = ssh_connection:exec(Connection, Channel, "cat; exit 7", 15000),
    ok = ssh_connection:send(Connection, Channel, <<"in">>),
    ok = ssh_connection:send_eof(Connection, Channel),
    loop(Connection, Channel, <<>>, undefined).

loop(Connection, Channel, Out, Code) ->
    receive
        {ssh_cm, Connection, {data, Channel, 0, Data}} -> loop(Connection, Channel, <<Out/binary, Data/binary>>, Code);
        {ssh_cm, Connection, {exit_status, Channel, Status}} -> loop(Connection, Channel, Out, Status);
        {ssh_cm, Connection, {closed, Channel}} -> io:format("exec ~s ~p~n", [Out, Code]), halt(0);
        {ssh_cm, Connection, _} -> loop(Connection, Channel, Out, Code)
    after 15000 -> halt(1)
    end.
