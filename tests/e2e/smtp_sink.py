#!/usr/bin/python3
"""A mail server for tests: writes each mail that it takes to a file of its own, NNN.eml.

Needs Debian's python3-aiosmtpd, and so Debian's own Python. Prints "ready" once it listens.
"""

import argparse
import os
import ssl
import sys
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

parser = argparse.ArgumentParser()
parser.add_argument("port", type=int)
parser.add_argument("folder")
parser.add_argument("--tls", choices=["none", "starttls", "tls"], default="none")
parser.add_argument("--certificate")
parser.add_argument("--key")
parser.add_argument("--user")
parser.add_argument("--password")
parser.add_argument("--refuse", default="", help="this recipient is refused for good")
parser.add_argument("--later", type=int, default=0, help="so many mails are refused for now first")
told = parser.parse_args()


class Handler:
    taken = len(os.listdir(told.folder))
    later = told.later

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address == told.refuse:
            return "550 5.1.1 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if Handler.later > 0:
            Handler.later -= 1
            return "451 4.7.1 greylisted, try again"
        Handler.taken += 1
        name = os.path.join(told.folder, f"{Handler.taken:03d}.eml")
        with open(name + ".part", "wb") as mail:
            mail.write(f"X-Sink-Recipient: {','.join(envelope.rcpt_tos)}\r\n".encode() + envelope.content)
        os.rename(name + ".part", name)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    good = data.login == told.user.encode() and data.password == told.password.encode()
    return AuthResult(success=good, handled=good)


options = {}
if told.tls != "none":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(told.certificate, told.key)
    if told.tls == "tls":
        options["ssl_context"] = context
    else:
        options.update(tls_context=context, require_starttls=True)
if told.user:
    options.update(authenticator=authenticate, auth_required=True)
    if told.tls != "starttls":
        options.update(auth_require_tls=False)

controller = Controller(Handler(), hostname="127.0.0.1", port=told.port,
                        **options)
controller.start()
print("ready", flush=True)
parent = os.getppid()
while os.getppid() == parent:
    time.sleep(1)
sys.exit(0)
