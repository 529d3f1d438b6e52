"""`gpuscope check config`: every mistake in a settings file, before it is used."""

import pathlib
import tempfile
import unittest

import harness


class CheckConfig(unittest.TestCase):
    def check(self, text):
        with tempfile.TemporaryDirectory(prefix="gpuscope-e2e-") as folder:
            path = pathlib.Path(folder) / "agent.yaml"
            path.write_text(text)
            got = harness.run("check", "config", str(path))
            return got.returncode, got.stdout.replace(str(path), "FILE")

    def test_says_ok(self):
        self.assertEqual(self.check("method: sim\nlisten: 0.0.0.0:9555\ninterval: 500ms\n"
                                    "data_dir: /var/lib/gpuscope\nlog_level: warning\n"
                                    "sim: {gpus: 8, seed: 7, scenario: training}\n"),
                         (0, "FILE: ok\n"
                             "FILE: a running agent takes at once: interval, log_level\n"
                             "FILE: a running agent takes when it is started again: method, listen, "
                             "data_dir, sim.gpus, sim.seed, sim.scenario\n"))
        self.assertEqual(self.check(""), (0, "FILE: ok\n"))

    def test_says_every_mistake_with_its_line(self):
        status, said = self.check("method: magic\n"
                                  "intervall: 1s\n"
                                  "interval: 5 parsecs\n"
                                  "listen: here\n"
                                  "sim:\n"
                                  "  gpus: 10001\n"
                                  "  scenario: nonesuch\n"
                                  "  time: noon\n")
        self.assertEqual(status, 1)
        lines = said.splitlines()
        for line, start in zip(lines, (
                "FILE:1: method: 'magic' is not ",
                "FILE:2: intervall: there is no such setting; did you mean 'interval'?",
                "FILE:3: interval: '5 parsecs' is not a duration from 100ms to 60s",
                "FILE:4: listen: 'here' is not ",
                "FILE:6: sim.gpus: '10001' is not a whole number from 1 to 10000",
                "FILE:7: sim.scenario: ",
                "FILE:8: sim.time: 'noon' is not ")):
            self.assertTrue(line.startswith(start), f"{line!r} does not start with {start!r}")
        self.assertEqual(len(lines), 7, said)

    def test_knows_the_settings_of_the_fleet(self):
        text = ("prometheus: {url: http://prometheus:9090, step: 30s}\nscheduler: {interval: 300}\n"
                "server: {port: 8080}\nthresholds: {low_utilization: 20}\n")
        self.assertEqual(self.check(text),
                         (0, "FILE: ok: of gpuscope fleet, which takes it when it is started\n"))
        status, said = self.check(text + "logging: {levell: INFO}\nscoring: {power_weight: much}\n")
        self.assertEqual(status, 1)
        first, second = said.splitlines()
        self.assertTrue(first.startswith("FILE:5: logging.levell: there is no such setting; did you mean 'logging.level'?"),
                        said)
        self.assertTrue(second.startswith("FILE:6: scoring.power_weight: 'much' is not a number from 0 to 1"), said)
        status, said = self.check(text + "ai: {enabled: true}\n")
        self.assertEqual((status, len(said.splitlines())), (1, 1), said)
        self.assertIn("FILE: ", said)
        self.assertIn("AI_API_URL", said)

    def test_a_file_that_is_not_there_is_a_mistake(self):
        got = harness.run("check", "config", "/nowhere.yaml")
        self.assertEqual((got.returncode, got.stdout), (
            1, "/nowhere.yaml: cannot open /nowhere.yaml: No such file or directory\n"))


if __name__ == "__main__":
    unittest.main()
