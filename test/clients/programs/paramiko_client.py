# What the tests ask of Paramiko. Arguments: host, port, login, key file, a wrong key file.
import hashlib
import io
import os
import sys

import paramiko

host, port, login, key, wrong = sys.argv[1:6]
client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
client.connect(host, int(port), login, key_filename=key, allow_agent=False, look_for_keys=False, timeout=15)

stdin, stdout, stderr = client.exec_command('cat; echo err >&2; exit 7')
stdin.write('in')
stdin.channel.shutdown_write()
assert stdout.read() == b'in', 'stdout'
assert stderr.read() == b'err\n', 'stderr'
assert stdout.channel.recv_exit_status() == 7, 'exit code'
print('exec')

sftp = client.open_sftp()
data = os.urandom(3_000_000)
sftp.putfo(io.BytesIO(data), 'by-paramiko')
back = io.BytesIO()
sftp.getfo('by-paramiko', back)
assert hashlib.sha256(back.getvalue()).digest() == hashlib.sha256(data).digest()
sftp.remove('by-paramiko')
print('sftp')

shell = client.invoke_shell(width=100, height=30)
shell.settimeout(15)
shell.send('stty size; exit\r')
seen = b''
while True:
    piece = shell.recv(4096)
    if not piece:
        break
    seen += piece
assert b'30 100' in seen, seen
print('shell')
client.close()

# A wrong key first, then the right one, on one connection.
transport = paramiko.Transport((host, int(port)))
transport.start_client(timeout=15)
try:
    transport.auth_publickey(login, paramiko.Ed25519Key.from_private_key_file(wrong))
    raise SystemExit('the wrong key was taken')
except paramiko.AuthenticationException:
    pass
transport.auth_publickey(login, paramiko.Ed25519Key.from_private_key_file(key))
assert transport.is_authenticated()
transport.close()
print('second key')
