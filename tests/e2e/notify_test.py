"""Messages of alerts reach real mail servers, webhooks and a real Alertmanager, through outages and kills."""

import datetime
import email
import email.policy
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import unittest

import harness

DEBIAN_PYTHON = "/usr/bin/python3"
SINK = pathlib.Path(__file__).resolve().parent / "smtp_sink.py"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def has_sink():
    if not os.path.exists(DEBIAN_PYTHON) or not shutil.which("openssl"):
        return False
    return subprocess.run([DEBIAN_PYTHON, "-c", "import aiosmtpd"], capture_output=True, check=False).returncode == 0


class MailServer:
    """A real one; it may be stopped and started again on the same port and folder."""

    def __init__(self, folder, *options):
        self.folder = tempfile.mkdtemp(dir=folder)
        self.port = free_port()
        self.options = options
        self.process = None

    def start(self):
        self.process = subprocess.Popen([DEBIAN_PYTHON, SINK, str(self.port), self.folder, *self.options],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        line = self.process.stdout.readline()
        if line.strip() != b"ready":
            raise AssertionError(f"the mail server did not start; it said {line!r}")
        return self

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def mails(self):
        return [email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
                for path in sorted(pathlib.Path(self.folder).glob("*.eml"))]


class Hook:
    """A web server that remembers what it was posted, and answers as `statuses` say, then 200."""

    def __init__(self):
        hook = self
        self.bodies, self.statuses = [], []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                hook.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(hook.statuses.pop(0) if hook.statuses else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/hook/s3cret"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def record(number, firing=True, group=None):
    """A message that an agent took and had no time to send: see docs/formats/notifications.md."""
    time = "2026-05-01T12:00:00.000000+00:00"
    alert = {
        "labels": {"alertname": "GPUHighTemperature", "gpu_index": "0", "gpu_name": "SIM-RTX4090",
                   "gpu_uuid": "GPU-0a1b2c3d-4e5f-6172-8192-334455667788", "severity": "critical"},
        "annotations": {"summary": f"GPU 0 is too hot, message {number}", "description": "91.3 °C"},
        "state": "firing" if firing else "resolved", "active_since": time, "fired_at": time, "value": "91.3",
        "rule": "GPUHighTemperature", "expression": "gpu_temperature_celsius > 80", "generator_url": ""}
    if not firing:
        alert["resolved_at"] = time
    return {"version": 1, "id": f"message-{number}", "group": group or f"group-{number % 3}", "receiver": "email",
            "to": "ops@example.org", "thread": f"message-{number % 3}", "subject": f"message {number}",
            "firing": firing, "state": "queued", "attempts": 0, "error": "", "uncertain": False,
            "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="microseconds"),
            "message": {"group_labels": {"alertname": "GPUHighTemperature", "gpu_name": "SIM-RTX4090"},
                        "severity": "critical", "time": time, "alerts": [alert]}}


@unittest.skipUnless(has_sink(), "needs openssl and Debian's python3-aiosmtpd")
class NotifyTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="gpuscope-e2e-")
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)

    def sink(self, *options):
        server = MailServer(self.home, *options)
        self.addCleanup(server.stop)
        return server

    def settings(self, server, **more):
        return {"SMTP_HOST": f"localhost:{server.port}", "SMTP_FROM": "GPU alerts <gpus@example.org>",
                "EMAIL_TO": "ops@example.org", "SMTP_TLS": "none", "GPUSCOPE_EMAIL_SEVERITIES": "critical", **more}

    def test_mail_goes_over_every_kind_of_way(self):
        harness.make_certificates(self.home)
        tls = ["--certificate", f"{self.home}/server.pem", "--key", f"{self.home}/server.key",
               "--user", "gpus", "--password", "correct horse"]
        login = {"SMTP_USER": "gpus", "SMTP_PASS": "correct horse", "SMTP_CA_FILE": f"{self.home}/ca.pem"}
        for way, options in (("starttls", ["--tls", "starttls", *tls]), ("tls", ["--tls", "tls", *tls])):
            with self.subTest(way):
                server = self.sink(*options).start()
                settings = self.settings(server, SMTP_TLS=way, **login)
                got = harness.run("notify", "test", env=settings)
                self.assertEqual(got.returncode, 0, got.stdout + got.stderr)
                self.assertIn("email (critical, to ops@example.org): sent", got.stdout)
                self.assertNotIn("correct horse", got.stdout + got.stderr)
                self.assertNotIn("Z3B1cwBjb3JyZWN0", got.stdout)
                mail, = server.mails()
                self.assertEqual(mail["X-Sink-Recipient"], "ops@example.org")
                # What does not vouch for the server, or does not let us in, gets no mail; each says why.
                wrong = harness.run("notify", "test", env={**settings, "SMTP_PASS": "wrong"})
                self.assertEqual(wrong.returncode, 1)
                self.assertIn("it says '535", wrong.stdout)
                doubted = harness.run("notify", "test", env={**settings, "SMTP_CA_FILE": ""})
                self.assertEqual(doubted.returncode, 1)
                self.assertRegex(doubted.stdout, "cannot send mail through .*certificate")
                self.assertEqual(len(server.mails()), 1)
        plain = self.sink().start()
        refused = harness.run("notify", "test", env=self.settings(plain, SMTP_TLS="starttls"))
        self.assertEqual((refused.returncode, plain.mails()), (1, []), refused.stdout)

    def test_a_refused_recipient_is_told_of(self):
        server = self.sink("--refuse", "ops@example.org").start()
        got = harness.run("notify", "test", "--receiver", "email", env=self.settings(server))
        self.assertEqual(got.returncode, 1)
        self.assertIn("it says '550 5.1.1 no such user here'", got.stdout)
        self.assertIn("> RCPT TO:<ops@example.org>", got.stdout)

    def test_nobody_and_somebody_unknown(self):
        self.assertIn("nobody is to be told", harness.run("notify", "test").stderr)
        server = self.sink()
        unknown = harness.run("notify", "test", "--receiver", "pager", env=self.settings(server))
        self.assertEqual(unknown.returncode, 1)
        self.assertIn("there is no receiver 'pager'", unknown.stderr)

    def test_webhooks_and_a_real_alertmanager_take_the_test(self):
        hook = Hook()
        self.addCleanup(hook.stop)
        settings = {"GPUSCOPE_WEBHOOK_URL": hook.url, "GPUSCOPE_WEBHOOK_SEVERITIES": "warning",
                    "GPUSCOPE_SLACK_URL": hook.url, "GPUSCOPE_SLACK_SEVERITIES": "info"}
        program = shutil.which("prometheus-alertmanager")
        if program:
            port = free_port()
            config = pathlib.Path(self.home, "alertmanager.yml")
            config.write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
            manager = subprocess.Popen(
                [program, f"--config.file={config}", f"--storage.path={self.home}/am", "--cluster.listen-address=",
                 f"--web.listen-address=127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.addCleanup(lambda: (manager.kill(), manager.wait()))

            def ready():
                try:
                    return harness.ask(port, "/-/ready").status == 200
                except OSError:
                    return False
            harness.wait_for(ready, "Alertmanager")
            settings["GPUSCOPE_ALERTMANAGER_URL"] = f"http://127.0.0.1:{port}/"
        got = harness.run("notify", "test", env=settings)
        self.assertEqual(got.returncode, 0, got.stdout + got.stderr)
        self.assertNotIn("s3cret", got.stdout)
        self.assertEqual(hook.bodies[0]["version"], "4")
        self.assertIn("attachments", hook.bodies[1])
        if program:
            alerts = harness.ask(port, "/api/v2/alerts").json
            self.assertEqual(alerts[0]["labels"]["alertname"], "GpuscopeTest")
        hook.statuses = [500]
        self.assertEqual(harness.run("notify", "test", "--receiver", "webhook", env=settings).returncode, 1)

    def agent(self, server, data):
        return harness.Agent("--method", "sim", data_dir=data, env=self.settings(server))

    def fill(self, server, data, count):
        """As an agent leaves messages that it could not send."""
        path = os.path.join(data, "gpuscope.db")

        def has_states():
            if not os.path.exists(path):
                return False
            look = sqlite3.connect(path)
            try:
                return look.execute("SELECT count(*) FROM sqlite_master WHERE name = 'state'").fetchone()[0] == 1
            finally:
                look.close()
        with self.agent(server, data):
            harness.wait_for(has_states, "the table of states")
        with sqlite3.connect(path) as file:
            file.executemany("INSERT INTO state(kind, key, value) VALUES('notification', ?, ?)",
                             [(f"{n + 1:020}", json.dumps(record(n))) for n in range(count)])
        file.close()

    def sent(self, agent):
        return agent.get("/api/v1/notifications").json["receivers"][0]["sent"]

    def test_an_outage_loses_nothing_and_keeps_the_order(self):
        server = self.sink("--later", "1")
        data = os.path.join(self.home, "data")
        self.fill(server, data, 9)
        with self.agent(server, data) as agent:
            failing = harness.wait_for(lambda: agent.health()["notifications"]["error"], "the outage to show")
            self.assertIn("cannot send mail", failing)
            self.assertEqual(agent.health()["notifications"]["queued"], 9)
            self.assertIn("\ngpuscope_notifications_queued 9\n", agent.get("/metrics").text)
            server.start()
            harness.wait_for(lambda: self.sent(agent) == 9, "the mails")
            self.assertIsNone(agent.health()["notifications"]["error"])
            self.assertIn("\ngpuscope_notifications_sent_total 9\n", agent.get("/metrics").text)
            shown = agent.get("/api/v1/notifications?limit=3").json["notifications"]
            self.assertEqual([one["state"] for one in shown], ["sent"] * 3)
            self.assertEqual(agent.get("/api/v1/notifications?limit=0").status, 400)
        mails = server.mails()
        numbers = [int(re.search(r"message (\d+)", mail.get_body(("plain",)).get_content())[1]) for mail in mails]
        self.assertEqual(sorted(numbers), list(range(9)))
        for group in range(3):
            of_group = [number for number in numbers if number % 3 == group]
            self.assertEqual(of_group, sorted(of_group), "the order of a group")
        self.look_at(mails[numbers.index(3)], mails[numbers.index(0)])

    def look_at(self, mail, opener):
        """A whole mail, as a library that we did not write reads it."""
        self.assertEqual(mail["Subject"], "[FIRING:1, SIMULATED] GPUHighTemperature SIM-RTX4090 (critical)")
        self.assertEqual(mail["From"].addresses[0].display_name, "GPU alerts")
        self.assertEqual(mail["Auto-Submitted"], "auto-generated")
        self.assertEqual(mail["In-Reply-To"], opener["Message-ID"])
        self.assertEqual(mail["References"], opener["Message-ID"])
        self.assertIsNotNone(mail["Date"].datetime)
        self.assertEqual(mail.get_content_type(), "multipart/alternative")
        plain = mail.get_body(("plain",)).get_content()
        for text in ("GPU 0 is too hot", "critical", "GPU 0, SIM-RTX4090", "91.3 °C", "2026-05-01 12:00:00 UTC",
                     "firing", "simulated", "could not be sent"):
            self.assertIn(text, plain)
        page = mail.get_body(("related", "html"))
        html = page.get_body(("html",)).get_content() if page.is_multipart() else page.get_content()
        self.assertIn("<b>simulated</b>", html)

    def test_a_kill_in_the_middle_loses_nothing(self):
        server = self.sink()
        data = os.path.join(self.home, "data")
        self.fill(server, data, 40)
        server.start()
        for after in (5, 20):
            with self.agent(server, data) as agent:
                harness.wait_for(lambda enough=after: len(server.mails()) >= enough, "some mails")
                agent.stop(signal.SIGKILL)
        with self.agent(server, data) as agent:
            def waiting():
                return agent.health()["notifications"]["queued"]
            harness.wait_for(lambda: len({mail["Message-ID"] for mail in server.mails()}) == 40 and waiting() == 0,
                             "all mails")
            shown = agent.get("/api/v1/notifications?limit=1000").json["notifications"]
            self.assertEqual({one["state"] for one in shown}, {"sent"})
            uncertain = sum(one["uncertain"] for one in shown)
        # Only what was under way when the agent was killed may have come twice.
        self.assertLessEqual(len(server.mails()), 40 + uncertain)
        self.assertLessEqual(uncertain, 2)


if __name__ == "__main__":
    unittest.main()
