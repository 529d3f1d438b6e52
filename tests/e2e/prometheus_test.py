"""A real Prometheus scrapes the agent: every value must arrive as it was sent."""

import json
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import unittest
import urllib.parse

import harness

SAMPLE = re.compile(r'^(\w+)\{(.*)\} (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def parse(text):
    """{(name, labels): value} of an exposition whose label values need no unescaping."""
    samples = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, labels, value = SAMPLE.match(line).groups()
            key = (name, tuple(sorted(LABEL.findall(labels))))
            assert key not in samples, f"{key} stands there twice"
            samples[key] = float(value)
    return samples


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@unittest.skipUnless(shutil.which("promtool"), "promtool is not installed (package prometheus)")
class Promtool(unittest.TestCase):
    def test_finds_nothing_to_say(self):
        with harness.Agent("--method", "sim", "--sim-time", harness.FROZEN) as agent:
            got = subprocess.run(["promtool", "check", "metrics"], input=agent.get("/gpu/metric").body,
                                 capture_output=True, check=False, timeout=harness.PATIENCE_SECONDS)
            self.assertEqual((got.returncode, got.stdout, got.stderr), (0, b"", b""))


@unittest.skipUnless(shutil.which("prometheus"), "prometheus is not installed")
class Prometheus(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gpuscope-e2e-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def start(self, agent_port):
        self.port = free_port()
        (self.folder / "prometheus.yml").write_text(json.dumps({
            "global": {"scrape_interval": "1s"},
            "scrape_configs": [{"job_name": "agent", "metrics_path": "/gpu/metric",
                                "static_configs": [{"targets": [f"127.0.0.1:{agent_port}"]}]}]}))
        with open(self.folder / "log", "wb") as log:
            process = subprocess.Popen(
                ["prometheus", f"--config.file={self.folder}/prometheus.yml",
                 f"--storage.tsdb.path={self.folder}/data",
                 f"--web.listen-address=127.0.0.1:{self.port}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(self.end, process)

    @staticmethod
    def end(process):
        process.terminate()
        process.wait(harness.PATIENCE_SECONDS)

    def query(self, expression):
        try:
            answer = harness.ask(self.port, "/api/v1/query?query=" + urllib.parse.quote(expression))
        except OSError:  # it does not listen yet
            return []
        return answer.json["data"]["result"] if answer.status == 200 else []

    def test_reads_every_value_back(self):
        simulation = ("--method", "sim", "--sim-gpus", "8", "--sim-time", harness.FROZEN)
        with harness.Agent(*simulation) as agent:
            sent = parse(agent.get("/gpu/metric").text)
            self.assertGreaterEqual(len(sent), 8 * 11)
            self.start(agent.port)
            harness.wait_for(lambda: len(self.query('{job="agent",gpu_uuid!=""}')) >= len(sent),
                             "Prometheus to have scraped the agent")
            got = {}
            for series in self.query('{job="agent",gpu_uuid!=""}'):
                labels = dict(series["metric"])
                name = labels.pop("__name__")
                self.assertEqual(labels.pop("job"), "agent")
                self.assertEqual(labels.pop("instance"), f"127.0.0.1:{agent.port}")
                got[(name, tuple(sorted(labels.items())))] = float(series["value"][1])
            self.assertEqual(got, sent)
            up = self.query('up{job="agent"}')
            self.assertEqual([u["value"][1] for u in up], ["1"])


if __name__ == "__main__":
    unittest.main()
