# What the tests ask of Netmiko. Arguments: host, port, login, key file.
import sys

from netmiko import ConnectHandler

host, port, login, key = sys.argv[1:5]
connection = ConnectHandler(
    device_type='linux', host=host, port=int(port), username=login, use_keys=True, key_file=key, allow_agent=False
)
print('netmiko', connection.send_command('echo $((40+2))').strip())
connection.disconnect()
