"""A real Prometheus scrapes the agent: every value must arrive as it was sent."""

import http.server
import json
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest
import urllib.parse

import harness

SAMPLE = re.compile(r'^(\w+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def parse(text):
    """{(name, labels): value} of an exposition whose label values need no unescaping."""
    samples = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, labels, value = SAMPLE.match(line).groups()
            # Prometheus takes an empty label for none.
            key = (name, tuple(sorted((k, v) for k, v in LABEL.findall(labels or "") if v)))
            assert key not in samples, f"{key} stands there twice"
            samples[key] = float(value)
    return samples


# Patterns of what promtool may say of /metrics, one a line.
EXCEPTIONS = pathlib.Path(__file__).with_name("promtool_exceptions.txt")

# What changes from scrape to scrape though the machine stands still.
MOVING = re.compile(r"process_|gpu_|gpuscope_(http|history|source|alerts|alerting|notifications|ai|control)_|"
                    r"gpuscope_gpu_(busy|last_seen)_")


class OlderFormat(http.server.ThreadingHTTPServer):
    """Hands an agent's /metrics on in the older format, whatever the scraper would rather have."""

    def __init__(self, agent_port):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                answer = harness.ask(agent_port, self.path, headers={"Accept": "text/plain;version=0.0.4"})
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.headers["Content-Type"])
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *arguments):
        self.shutdown()
        super().__exit__(*arguments)


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

    def test_finds_in_metrics_only_what_is_dcgms(self):
        exceptions = [line for line in EXCEPTIONS.read_text().splitlines() if line and not line.startswith("#")]
        said = set()
        frozen = ("--sim-time", harness.FROZEN)
        for scenario in (frozen, (*frozen, "--sim-gpus", "4", "--sim-scenario", "mig"),
                         ("--sim-gpus", "8", "--sim-scenario", "training")):
            # What the analysis of use has is named as an earlier system named it.
            with harness.Agent("--method", "sim", "--interval", "100ms", "--analysis", "off", *scenario) as agent:
                # Rates need two ticks; those of links, traffic, which a machine that stands still has not.
                harness.wait_for(lambda: agent.health()["sources"][0]["ticks"] >= 3, "rates to be known")
                if "training" in scenario:
                    harness.wait_for(lambda: "DCGM_FI_DEV_NVLINK_BANDWIDTH_L0{" in agent.get("/metrics").text,
                                     "traffic over NVLink")
                got = subprocess.run(["promtool", "check", "metrics"], input=agent.get("/metrics").body,
                                     capture_output=True, check=False, timeout=harness.PATIENCE_SECONDS)
                complaints = got.stderr.decode().splitlines()
                said.update(complaints)
                # It can read the page: its only errors are lint.
                self.assertEqual(got.stdout, b"")
                self.assertIn(got.returncode, (0, 3), got.stderr)
                self.assertEqual([line for line in complaints
                                  if not any(re.fullmatch(each, line) for each in exceptions)], [])
        for each in exceptions:
            self.assertTrue(any(re.fullmatch(each, line) for line in said), f"{each} is not needed any more")


@unittest.skipUnless(shutil.which("prometheus"), "prometheus is not installed")
class Prometheus(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gpuscope-e2e-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def start(self, agent_port, path="/gpu/metric", **more_jobs):
        self.port = free_port()
        jobs = {"agent": (agent_port, path), **more_jobs}
        (self.folder / "prometheus.yml").write_text(json.dumps({
            "global": {"scrape_interval": "1s"},
            "scrape_configs": [{"job_name": name, "metrics_path": metrics_path,
                                "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
                               for name, (port, metrics_path) in jobs.items()]}))
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

    def test_reads_metrics_in_both_formats(self):
        simulation = ("--method", "sim", "--sim-gpus", "4", "--sim-scenario", "mig", "--sim-time", harness.FROZEN,
                      "--interval", "100ms")
        with harness.Agent(*simulation) as agent, OlderFormat(agent.port) as older:
            harness.wait_for(lambda: agent.health()["sources"][0]["ticks"] >= 3, "rates to be known")
            sent = {key: value for key, value in parse(agent.get("/metrics").text).items()
                    if key[0].startswith(("DCGM", "gpuscope_")) and not MOVING.match(key[0])}
            self.assertGreaterEqual(len(sent), 4 * 150)
            self.start(agent.port, "/metrics", older=(older.server_port, "/metrics"))
            for job in ("agent", "older"):
                everything = f'{{job="{job}",__name__=~"DCGM.*|gpuscope_.*"}}'
                harness.wait_for(lambda: len(self.query(everything)) >= len(sent), f"{job} to have been scraped")
                got = {}
                for series in self.query(everything):
                    labels = dict(series["metric"])
                    name = labels.pop("__name__")
                    del labels["job"], labels["instance"]
                    if not MOVING.match(name):
                        got[(name, tuple(sorted(labels.items())))] = float(series["value"][1])
                self.assertEqual({key: (sent.get(key), got.get(key)) for key in sent.keys() | got.keys()
                                  if sent.get(key) != got.get(key)}, {})
                self.assertEqual(self.query(f'up{{job="{job}"}}')[0]["value"][1], "1")
            # It was OpenMetrics that it asked for.
            metadata = harness.ask(self.port, "/api/v1/targets/metadata?match_target=" + urllib.parse.quote(
                '{job="agent"}') + "&metric=DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION").json["data"]
            self.assertEqual([each["type"] for each in metadata], ["unknown"])


if __name__ == "__main__":
    unittest.main()
