<?php
// What the tests ask of PHP's ssh2 (libssh2). Arguments: host, port, login, key file.
[, $host, $port, $login, $key] = $argv;
$session = ssh2_connect($host, (int) $port) or exit(1);
ssh2_auth_pubkey_file($session, $login, "$key.pub", $key) or exit(2);
$stream = ssh2_exec($session, 'echo out');
stream_set_blocking($stream, true);
echo 'exec ', stream_get_contents($stream);
$sftp = ssh2_sftp($session);
file_put_contents('ssh2.sftp://' . intval($sftp) . '/tmp/sp-by-php', str_repeat('x', 100000));
echo 'sftp ', ssh2_sftp_stat($sftp, '/tmp/sp-by-php')['size'], "\n";
ssh2_sftp_unlink($sftp, '/tmp/sp-by-php');
