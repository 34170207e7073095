# Paramiko asks for the ssh-userauth service again before each try: a bad key, a bad password, then the good key.
import sys

import paramiko

host, port, user, bad, good = sys.argv[1:6]
transport = paramiko.Transport((host, int(port)))
transport.start_client(timeout=20)


def expect_refusal(attempt):
    try:
        attempt()
    except paramiko.AuthenticationException:
        return
    raise SystemExit("not refused")


expect_refusal(lambda: transport.auth_publickey(user, paramiko.Ed25519Key(filename=bad)))
expect_refusal(lambda: transport.auth_password(user, "wrong", fallback=False))
left = transport.auth_publickey(user, paramiko.Ed25519Key(filename=good))
assert left == [], left
channel = transport.open_session(timeout=20)
channel.exec_command("anything")
print(channel.makefile().read().decode().strip())
transport.close()
