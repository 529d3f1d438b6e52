#!/usr/bin/python3
"""mail_sink.py FOLDER: a mail server that puts each mail into a file of FOLDER, in the order in which they came. Says its port on
standard output, and ends when its standard input does. Debian's own Python has aiosmtpd (python3-aiosmtpd)."""

import asyncio
import os
import sys

from aiosmtpd.smtp import SMTP


class Sink:
    def __init__(self, folder):
        self.folder, self.mails = folder, 0

    async def handle_DATA(self, server, session, envelope):
        self.mails += 1
        path = os.path.join(self.folder, f"{self.mails:04d}.eml")
        with open(path + ".part", "wb") as mail:
            mail.write(envelope.content)
        os.rename(path + ".part", path)
        return "250 OK"


async def main():
    loop = asyncio.get_running_loop()
    sink = Sink(sys.argv[1])
    server = await loop.create_server(lambda: SMTP(sink), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


asyncio.run(main())
