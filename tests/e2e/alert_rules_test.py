"""The rules and settings that are shipped for Prometheus and Alertmanager, as their own tools see them, and
the same rules as this program sees them."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import harness

DEPLOY = harness.SOURCE / "deploy"
RULES = DEPLOY / "prometheus" / "rules" / "gpuscope.rules.yml"


def run(*command, env=None):
    got = subprocess.run(command, capture_output=True, text=True, check=False, env=env,
                         timeout=2 * harness.PATIENCE_SECONDS)
    return got.returncode, got.stdout + got.stderr


@unittest.skipUnless(shutil.which("promtool"), "promtool is not installed (package prometheus)")
class Promtool(unittest.TestCase):
    def test_takes_the_rules_and_settings(self):
        for what, path in (("rules", RULES), ("config", DEPLOY / "prometheus" / "prometheus.yml")):
            status, said = run("promtool", "check", what, str(path))
            self.assertEqual(status, 0, said)
            self.assertNotIn("WARNING", said)
            self.assertNotIn("duplicate", said)

    def test_every_rule_does_what_it_says(self):
        tests = harness.SOURCE / "tests" / "alerts" / "gpuscope.test.yml"
        status, said = run("promtool", "test", "rules", str(tests))
        self.assertEqual(status, 0, said)
        # Each alert of the rules stands in the tests.
        text = tests.read_text()
        for line in RULES.read_text().splitlines():
            if line.strip().startswith("- alert: "):
                self.assertIn(f'alertname="{line.split()[-1]}"', text)

    def test_a_broken_rule_would_be_found(self):
        with tempfile.TemporaryDirectory(prefix="gpuscope-e2e-") as folder:
            folder = pathlib.Path(folder)
            rules = RULES.read_text()
            self.assertIn(") > 80\n", rules)
            (folder / "rules.yml").write_text(rules.replace(") > 80\n", ") >= 80\n"))
            tests = (harness.SOURCE / "tests" / "alerts" / "gpuscope.test.yml").read_text()
            (folder / "test.yml").write_text(
                tests.replace("../../deploy/prometheus/rules/gpuscope.rules.yml", "rules.yml"))
            self.assertNotEqual(run("promtool", "test", "rules", str(folder / "test.yml"))[0], 0)


@unittest.skipUnless(shutil.which("amtool"), "amtool is not installed (package prometheus-alertmanager)")
class Amtool(unittest.TestCase):
    def test_takes_the_settings(self):
        status, said = run("amtool", "check-config", str(DEPLOY / "alertmanager" / "alertmanager.yml"))
        self.assertEqual(status, 0, said)

    def test_takes_what_configure_writes(self):
        with tempfile.TemporaryDirectory(prefix="gpuscope-e2e-") as folder:
            written = pathlib.Path(folder) / "alertmanager.yml"
            shutil.copytree(DEPLOY / "alertmanager" / "templates", pathlib.Path(folder) / "templates")
            for given in ({}, {"SMTP_USER": "me & 'you'", "SMTP_TLS": "none"}):
                got = subprocess.run([str(DEPLOY / "alertmanager" / "configure")], capture_output=True, text=True,
                                     check=True, timeout=harness.PATIENCE_SECONDS,
                                     env={"PATH": os.environ["PATH"], "SMTP_HOST": "mail.example.org:587",
                                          "SMTP_FROM": "gpus@example.org", "EMAIL_TO": "ops@example.org", **given})
                written.write_text(got.stdout)
                status, said = run("amtool", "check-config", str(written))
                self.assertEqual(status, 0, said)
                self.assertEqual(got.stdout.count("      - to: 'ops@example.org'\n"), 4)
                self.assertEqual("smtp_auth_username: 'me & ''you'''" in got.stdout, bool(given))
                self.assertNotIn("gpus@localhost", got.stdout)

    def test_routes_by_severity(self):
        for severity in ("info", "warning", "critical", "emergency", "other"):
            status, said = run("amtool", "config", "routes", "test",
                               f"--config.file={DEPLOY / 'alertmanager' / 'alertmanager.yml'}", f"severity={severity}")
            self.assertEqual((status, said.split()[0]), (0, "warning" if severity == "other" else severity))


class CheckRules(unittest.TestCase):
    def check(self, text):
        with tempfile.TemporaryDirectory(prefix="gpuscope-e2e-") as folder:
            path = pathlib.Path(folder) / "rules.yml"
            path.write_text(text)
            got = harness.run("check", "rules", str(path))
            return got.returncode, got.stdout.replace(str(path), "FILE").splitlines()

    def test_takes_the_rules_that_are_shipped(self):
        got = harness.run("check", "rules", str(RULES))
        self.assertEqual((got.returncode, got.stdout), (0, f"{RULES}: ok: 19 rules\n"))

    def test_says_every_mistake_with_its_line(self):
        status, said = self.check("groups:\n"
                                  "  - name: a\n"
                                  "    rules:\n"
                                  "      - alert: A\n"
                                  "        expr: up ==\n"
                                  "        for: soon\n"
                                  "        annotations:\n"
                                  "          summary: '{{ query \"up\" }}'\n"
                                  "      - alert: B\n"
                                  "        expr: histogram_quantile(0.9, x)\n")
        self.assertEqual(status, 1)
        for line, start in zip(said, ("FILE:5: A: ", "FILE:6: for: 'soon'", "FILE:8: A: summary: ", "FILE:10: B: ")):
            self.assertTrue(line.startswith(start), line)
        self.assertEqual(len(said), 4)
        self.assertIn("not supported here", said[2])
        self.assertIn("not supported here", said[3])

    def test_says_why_a_file_cannot_be_read(self):
        got = harness.run("check", "rules", "/nowhere/rules.yml")
        self.assertEqual(got.returncode, 1)
        self.assertIn("/nowhere/rules.yml: cannot ", got.stdout)


if __name__ == "__main__":
    unittest.main()
