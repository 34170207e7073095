# AsyncSSH signs in with a key and then answers prompts: a password or a code, as asked.
import asyncio
import sys
import warnings

warnings.simplefilter("ignore")
import asyncssh

host, port, user, key, password, code = sys.argv[1:7]


class Answers(asyncssh.SSHClient):
    def kbdint_auth_requested(self):
        return ""

    def kbdint_challenge_received(self, name, instructions, lang, prompts):
        return [code if "code" in prompt else password for prompt, _ in prompts]


async def main():
    connection, _ = await asyncssh.create_connection(
        Answers, host, int(port), username=user, client_keys=[key], known_hosts=None, config=None, agent_path=None
    )
    async with connection:
        result = await connection.run("anything")
        print(result.stdout.strip())


asyncio.run(asyncio.wait_for(main(), 30))
