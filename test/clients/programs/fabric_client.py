# What the tests ask of Fabric. Arguments: host, port, login, key file.
import io
import sys

from fabric import Connection

host, port, login, key = sys.argv[1:5]
arguments = {'key_filename': key, 'allow_agent': False, 'look_for_keys': False}
with Connection(host, user=login, port=int(port), connect_kwargs=arguments) as connection:
    result = connection.run('echo out; exit 7', hide=True, warn=True)
    assert (result.stdout, result.return_code) == ('out\n', 7), result
    terminal = connection.run('stty size', hide=True, pty=True)
    assert terminal.ok, terminal
    connection.put(io.BytesIO(b'content'), 'by-fabric')
    back = io.BytesIO()
    connection.get('by-fabric', back)
    assert back.getvalue() == b'content'
print('fabric')
