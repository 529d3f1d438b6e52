"""A GPU that overheats leads to a mail, and to another one when it is over: by the agent alone and through a real Prometheus and
Alertmanager, both from the rule file that is shipped."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

import harness
import notify_test

RULES = harness.SOURCE / "deploy" / "prometheus" / "rules" / "gpuscope.rules.yml"
HAS_SINK = notify_test.has_sink()

# Four minutes too hot, four minutes fine, again and again.
OVERHEATING = """version: 1
description: GPU 0 gets too hot and cools down again
lockstep: true
phases:
  - {duration: 4m, utilization_percent: 98, wander_percent: 0, power_percent: 95, memory_used_percent: 50, processes: 1}
  - {duration: 4m, utilization_percent: 0, wander_percent: 0, power_percent: 10, processes: 0}
faults:
  - {kind: cooling, gpus: [0], until: 4m, heat_factor: 5.4}
"""
# The same, always too hot.
HOT = OVERHEATING.replace("utilization_percent: 0,", "utilization_percent: 98,").replace("power_percent: 10,", "power_percent: 95,") \
    .replace(" until: 4m,", "")


class Mail:
    def __init__(self, message):
        self.subject = str(message["Subject"])
        body = message.get_body(("plain",))
        self.text = body.get_content() if body else ""
        body = message.get_body(("html",))
        self.html = body.get_content() if body else ""


@contextlib.contextmanager
def child(*command, cwd=None):
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=cwd)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(harness.PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Mailbox(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gpuscope-e2e-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.server = notify_test.MailServer(self.folder)
        self.addCleanup(self.server.stop)
        self.server.start()

    def mails(self):
        return [Mail(message) for message in self.server.mails()]

    def mail(self, pattern, patience=2 * harness.PATIENCE_SECONDS):
        """The first mail whose subject fits, waited for."""
        return harness.wait_for(
            lambda: next((mail for mail in self.mails() if re.search(pattern, mail.subject)), None),
            f"a mail {pattern!r}", patience)

    def environment(self):
        return {"SMTP_HOST": f"127.0.0.1:{self.server.port}", "SMTP_FROM": "gpus@example.org", "EMAIL_TO": "ops@example.org",
                "SMTP_TLS": "none"}

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def check_mails(self, firing, resolved):
        """What every mail of this alert has, whoever sent it."""
        for mail, state in ((firing, "firing"), (resolved, "resolved")):
            for text in (mail.text, mail.html):
                self.assertIn("is far too hot", text)
                self.assertIn("has been above 85 °C for a minute", text)
                self.assertIn("SIM-RTX4090", text)
                self.assertRegex(text, r"[89][0-9](\.[0-9])? °C")
                self.assertIn("emergency", text.lower())
                self.assertIn(state, text.lower())
                self.assertRegex(text, r"20[0-9]{2}-[0-9]{2}-[0-9]{2}")


@unittest.skipUnless(HAS_SINK, "there is no mail server to send to (package python3-aiosmtpd)")
class AgentAlone(Mailbox):
    def test_tells_of_a_gpu_that_overheats_and_when_it_is_over(self):
        scenario = self.write("scenario.yaml", OVERHEATING)
        with harness.Agent("--method", "sim", "--sim-gpus", "2", "--sim-scenario", scenario, "--sim-speed", "60",
                           "--alert-rules", str(RULES), env=self.environment()) as agent:
            firing = self.mail(r"FIRING.*GPUVeryHighTemperature")
            resolved = self.mail(r"RESOLVED.*GPUVeryHighTemperature")
            self.check_mails(firing, resolved)
            rules = agent.get("/api/v1/rules").json["data"]["groups"]
            self.assertEqual(rules[0]["file"], str(RULES))
            self.assertEqual({rule["health"] for group in rules for rule in group["rules"]}, {"ok"})
            health = agent.health()["alerting"]
            self.assertIsNone(health["error"])
            self.assertEqual(health["rules"], 19)
            metrics = agent.get("/metrics").text
            self.assertIn("\ngpuscope_alerting_up 1\n", metrics)
            self.assertRegex(metrics, r"\ngpuscope_alerting_messages_total [1-9]")
        # The other GPU stays cool.
        for mail in self.mails():
            if "Temperature" in mail.subject:
                self.assertNotIn("SIM-RTX3080", mail.subject)

    @unittest.skipUnless(shutil.which("amtool"), "amtool is not installed (package prometheus-alertmanager)")
    def test_amtool_makes_and_ends_silences(self):
        with harness.Agent("--method", "sim") as agent:
            def amtool(*arguments):
                return subprocess.run(["amtool", f"--alertmanager.url=http://127.0.0.1:{agent.port}", *arguments],
                                      capture_output=True, text=True, check=True, timeout=harness.PATIENCE_SECONDS).stdout

            silence = amtool("silence", "add", "alertname=Warm", "gpu_name=~SIM.*", "--author=me", "--comment=known").strip()
            shown = json.loads(amtool("silence", "query", "-o", "json"))
            self.assertEqual([(each["id"], each["status"]["state"], each["comment"]) for each in shown],
                             [(silence, "active", "known")])
            harness.wait_for(lambda: agent.health()["alerting"]["silences"] == 1, "the silence to be in force")
            amtool("silence", "expire", silence)
            self.assertFalse(json.loads(amtool("silence", "query", "-o", "json")))
            self.assertEqual(agent.get(f"/api/v2/silence/{silence}").json["status"]["state"], "expired")

    RULE = """groups:
  - name: test
    rules:
      - alert: Warm
        expr: max without (gpu_health) (gpu_temperature_celsius{gpu_uuid!=""}) > %d
        for: 2s
        labels: {severity: critical}
        annotations: {summary: 'GPU {{ $labels.gpu_index }} is warm'}
"""

    def test_a_restart_neither_loses_nor_repeats_a_message(self):
        warm, cold = self.write("warm.yml", self.RULE % 0), self.write("cold.yml", self.RULE % 1000)
        data = str(self.folder / "data")

        @contextlib.contextmanager
        def agent(rules, ends_with):
            # The port of each run is another one: an alert is the same where its labels are.
            with harness.Agent("--method", "sim", "--sim-gpus", "1", "--alert-interval", "1s", "--alert-group-wait", "3s",
                               "--alert-group-interval", "1s", "--alert-rules", rules,
                               "--remote-write-labels", "instance=here", data_dir=data,
                               env=self.environment()) as running:
                yield running
                running.stop(ends_with)

        def alerts(running):
            return [alert["state"] for alert in running.get("/api/v1/alerts").json["data"]["alerts"]]

        with agent(warm, signal.SIGKILL) as running:
            harness.wait_for(lambda: alerts(running) == ["pending"], "the alert to be pending")
        with agent(warm, signal.SIGKILL) as running:
            harness.wait_for(lambda: alerts(running) == ["firing"], "the alert to fire")
        # A kill between a mail server's word that it has a mail and ours that it is sent is another matter.
        with agent(warm, signal.SIGTERM) as running:
            self.mail("FIRING.*Warm")
            harness.wait_for(lambda: running.health()["notifications"]["queued"] == 0, "the mail to be sent")
        with agent(warm, signal.SIGTERM) as running:
            harness.wait_for(lambda: running.health()["alerting"]["last_evaluation"], "rules to be evaluated")
            self.assertEqual(alerts(running), ["firing"])
        with agent(cold, signal.SIGTERM) as running:
            self.mail("RESOLVED.*Warm")
            harness.wait_for(lambda: running.health()["notifications"]["queued"] == 0, "the mail to be sent")
        with agent(cold, signal.SIGTERM) as running:
            harness.wait_for(lambda: running.health()["alerting"]["last_evaluation"], "rules to be evaluated")
        self.assertEqual([re.search("FIRING|RESOLVED", mail.subject)[0] for mail in self.mails()], ["FIRING", "RESOLVED"])


@unittest.skipUnless(HAS_SINK, "there is no mail server to send to (package python3-aiosmtpd)")
@unittest.skipUnless(shutil.which("prometheus") and shutil.which("prometheus-alertmanager"),
                     "prometheus or prometheus-alertmanager is not installed")
class ThroughPrometheus(Mailbox):
    def test_the_same_rules_lead_to_the_same_mails(self):
        deploy = harness.SOURCE / "deploy"
        shutil.copytree(deploy / "prometheus", self.folder / "prometheus")
        shutil.copytree(deploy / "alertmanager", self.folder / "alertmanager")
        alertmanager, prometheus = notify_test.free_port(), notify_test.free_port()
        settings = (self.folder / "prometheus" / "prometheus.yml").read_text()
        self.assertEqual(settings.count("interval: 15s"), 2)
        self.write("prometheus/prometheus.yml", settings.replace("interval: 15s", "interval: 1s"))
        self.write("prometheus/targets/nvml.yml", "[]")
        self.write("prometheus/targets/alertmanager.yml", json.dumps([{"targets": [f"127.0.0.1:{alertmanager}"]}]))
        settings = subprocess.run([str(self.folder / "alertmanager" / "configure")], capture_output=True, text=True, check=True,
                                  env={**os.environ, **self.environment()}).stdout
        for wait in ("group_wait: 10s", "group_wait: 5s", "group_interval: 30s"):
            self.assertIn(wait, settings)
            settings = settings.replace(wait, wait.split(":")[0] + ": 1s")
        self.write("alertmanager/alertmanager.yml", settings)
        self.stack.enter_context(child(
            "prometheus-alertmanager", "--config.file=alertmanager/alertmanager.yml", f"--storage.path={self.folder}/am",
            f"--web.listen-address=127.0.0.1:{alertmanager}", "--cluster.listen-address=", cwd=self.folder))
        hot, fine = self.write("hot.yaml", HOT), self.write("fine.yaml", OVERHEATING.replace("98,", "0,").replace("95,", "10,"))
        arguments = ("--method", "sim", "--sim-gpus", "2", "--sim-speed", "60", "--alerts", "off")
        with harness.Agent(*arguments, "--sim-scenario", hot) as agent:
            port = agent.port
            self.write("prometheus/targets/sim.yml", json.dumps([{"targets": [f"127.0.0.1:{port}"]}]))
            self.stack.enter_context(child(
                "prometheus", "--config.file=prometheus/prometheus.yml", f"--storage.tsdb.path={self.folder}/tsdb",
                "--storage.tsdb.retention.time=15d", f"--web.listen-address=127.0.0.1:{prometheus}", cwd=self.folder))
            firing = self.mail(r"FIRING.*GPUVeryHighTemperature")
        with harness.Agent(*arguments, "--listen", f"127.0.0.1:{port}", "--sim-scenario", fine):
            resolved = self.mail(r"RESOLVED.*GPUVeryHighTemperature")
        self.check_mails(firing, resolved)


if __name__ == "__main__":
    unittest.main()
