# What the tests ask of AsyncSSH. Arguments: host, port, login, key file.
import asyncio
import os
import sys
import tempfile

import asyncssh

host, port, login, key = sys.argv[1:5]


async def main():
    async with asyncssh.connect(
        host, int(port), username=login, client_keys=[key], known_hosts=None, config=None, agent_path=None
    ) as connection:
        result = await connection.run('cat; echo err >&2; exit 7', input='in')
        assert (result.stdout, result.stderr, result.exit_status) == ('in', 'err\n', 7), result
        print('exec')

        killed = await connection.run('kill -TERM $$')
        assert killed.exit_signal and killed.exit_signal[0] == 'TERM', killed
        print('signal')

        results = await asyncio.gather(*(connection.run(f'echo {n}') for n in range(20)))
        assert [r.stdout for r in results] == [f'{n}\n' for n in range(20)]
        print('parallel')

        process = await connection.create_process('cat', term_type='xterm', term_size=(90, 20))
        process.stdin.write('echo\n')
        assert 'echo' in await asyncio.wait_for(process.stdout.readline(), 10)
        process.change_terminal_size(100, 30)
        process.terminate()
        process.close()
        print('terminal')

        with tempfile.TemporaryDirectory() as folder:
            with open(f'{folder}/a', 'wb') as file:
                file.write(os.urandom(3_000_000))
            async with connection.start_sftp_client() as sftp:
                await sftp.put(f'{folder}/a', 'by-asyncssh')
                await sftp.get('by-asyncssh', f'{folder}/b')
                await sftp.remove('by-asyncssh')
            assert open(f'{folder}/a', 'rb').read() == open(f'{folder}/b', 'rb').read()
        print('sftp')


asyncio.run(asyncio.wait_for(main(), 60))
