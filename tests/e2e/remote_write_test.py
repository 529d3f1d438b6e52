"""The agent pushes to a real Prometheus and a real VictoriaMetrics: what arrives is what the history has."""

import csv
import datetime
import glob
import http.server
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest
import urllib.parse

import harness


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Store:
    """A server that takes remote write; it may be killed and started again on what it has."""

    def __init__(self):
        self.home = tempfile.mkdtemp(prefix="gpuscope-e2e-")
        self.port = free_port()
        self.process = None
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/api/v1/write"

    def start(self):
        with open(os.path.join(self.home, "log"), "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=self.home)
        harness.wait_for(self.is_ready, "the store")

    def kill(self):
        self.process.send_signal(self.end)
        self.process.wait(harness.PATIENCE_SECONDS)

    def is_ready(self):
        try:
            return harness.ask(self.port, self.ready_path).status == 200
        except OSError:
            return False


class Prometheus(Store):
    program = "prometheus"
    end = signal.SIGKILL
    ready_path = "/-/ready"

    def command(self):
        with open(os.path.join(self.home, "prometheus.yml"), "w", encoding="utf-8") as settings:
            settings.write("global: {}\n")
        return ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
                f"--web.listen-address=127.0.0.1:{self.port}", "--web.enable-remote-write-receiver",
                "--log.level=warn"]

    def samples(self, name):
        """{labels: [(ms, value)]} of all series of a name, as they were stored."""
        answer = harness.ask(self.port, "/api/v1/query?query=" + urllib.parse.quote(name + "[1h]")).json
        return {frozenset(series["metric"].items()): [(round(time * 1000), float(value))
                                                      for time, value in series["values"]]
                for series in answer["data"]["result"]}


class VictoriaMetrics(Store):
    program = "victoria-metrics"
    end = signal.SIGTERM  # what it has taken is safe only seconds later
    ready_path = "/health"

    def command(self):
        return ["victoria-metrics", "-storageDataPath=data", f"-httpListenAddr=127.0.0.1:{self.port}",
                "-retentionPeriod=1", "-search.latencyOffset=0s", "-search.disableCache",
                "-memory.allowedPercent=10", "-loggerLevel=ERROR"]

    def samples(self, name):
        answer = harness.ask(self.port, "/api/v1/export?match[]=" + urllib.parse.quote(name)).text
        found = {}
        for line in answer.splitlines():
            series = json.loads(line)
            # A marker of staleness is null here.
            found.setdefault(frozenset(series["metric"].items()), []).extend(
                (time, value) for time, value in zip(series["timestamps"], series["values"]) if value is not None)
        return {labels: sorted(samples) for labels, samples in found.items()}


def push(store, *arguments, data_dir=None):
    return harness.Agent("--method", "sim", "--interval", "100ms", "--hostname", "node-1",
                         "--remote-write-url", store.url, *arguments, data_dir=data_dir)


def kept(data_dir, column):
    """{uuid: [(ms, value)]} of what the history has."""
    with tempfile.TemporaryDirectory(prefix="gpuscope-e2e-") as folder:
        done = harness.run("history", "export", "--data-dir", data_dir, "--out", folder)
        assert done.returncode == 0, done.stderr
        found = {}
        for path in glob.glob(os.path.join(folder, "*.csv")):
            with open(path, encoding="utf-8", newline="") as file:
                rows = [(row["timestamp"], row[column]) for row in csv.DictReader(file)]
            found[os.path.basename(path)[:-4]] = [
                (int(datetime.datetime.fromisoformat(time).timestamp() * 1000000) // 1000, float(value))
                for time, value in rows if value]
        return found


def by_uuid(samples, label):
    """{uuid: samples}; series of one GPU that differ in another label (its health) are one."""
    found = {}
    for labels, values in samples.items():
        found.setdefault(dict(labels)[label], []).extend(values)
    return {uuid: sorted(values) for uuid, values in found.items()}


def state(agent):
    return agent.health()["remote_write"]


def wait_until_sent(agent, samples):
    """Until so many samples more were sent and nothing is left."""
    before = state(agent)["sent_samples"]
    return harness.wait_for(lambda: state(agent)["sent_samples"] >= before + samples and
                            state(agent)["pending_ticks"] == 0 and state(agent), "samples to be sent")


class RemoteWrite:
    maxDiff = None

    def assert_equal_to_history(self, store, data_dir):
        """All that the history had when the agent ended is in the store, but for its last moments; and no more."""
        for name, label, column in (("gpu_power_watts", "gpu_uuid", "power_watts"),
                                    ("DCGM_FI_DEV_GPU_TEMP", "UUID", "temperature_celsius"),
                                    ("gpuscope_gpu_health", "UUID", "health_status_numeric")):
            expected = kept(data_dir, column)
            self.assertEqual(len(expected), 3)

            def arrived(name=name, label=label, expected=expected):
                got = by_uuid(store.samples(name), label)
                return len(got) == len(expected) and min(len(values) for values in got.values()) > 0 and got
            got = harness.wait_for(arrived, f"{name} in the store")
            for uuid, samples in expected.items():
                # It began with what was read from then on, and ended with what was on its way.
                first, last = got[uuid][0][0], got[uuid][-1][0]
                self.assertEqual(got[uuid], [sample for sample in samples if first <= sample[0] <= last], name)
                self.assertLess(last - samples[-1][0], 1)
                self.assertGreater(len(got[uuid]), 10)

    def test_what_was_pushed_reads_back_equal(self):
        with self.store() as store, push(store, "--remote-write-labels", "cluster=a") as agent:
            got = wait_until_sent(agent, 1000)
            self.assertIsNone(got["error"])
            self.assertEqual(got["server"], f"http://127.0.0.1:{store.port}")
            self.assertEqual(got["refused_samples"] + got["lost_ticks"], 0)
            metrics = agent.get("/metrics").text
            self.assertIn("\ngpuscope_remote_write_up 1\n", metrics)
            self.assertRegex(metrics, r"\ngpuscope_remote_write_samples_total [1-9]")
            port = agent.port
            agent.stop()
            self.assert_equal_to_history(store, agent.data_dir)
            # The labels of the page, and ours.
            for labels in store.samples("DCGM_FI_DEV_GPU_TEMP"):
                labels = dict(labels)
                self.assertEqual(labels["job"], "gpuscope")
                self.assertEqual(labels["instance"], f"node-1:{port}")
                self.assertEqual(labels["cluster"], "a")
                self.assertEqual(labels["simulated"], "true")
                self.assertEqual(labels["Hostname"], "node-1")
                self.assertTrue(labels["modelName"].startswith("SIM-"))

    def test_an_outage_in_the_middle_is_caught_up(self):
        with self.store() as store, push(store) as agent:
            wait_until_sent(agent, 1000)
            store.kill()
            harness.wait_for(lambda: state(agent)["error"], "the agent to notice")
            self.assertIn("cannot reach http://127.0.0.1:", state(agent)["error"])
            harness.wait_for(lambda: state(agent)["pending_ticks"] >= 20, "ticks that wait")
            self.assertGreater(state(agent)["lag_seconds"], 1)
            self.assertEqual(agent.get("/gpu/metric").status, 200)
            store.start()
            wait_until_sent(agent, 1000)
            got = state(agent)
            self.assertEqual((got["error"], got["lost_ticks"]), (None, 0))
            agent.stop()
            self.assert_equal_to_history(store, agent.data_dir)

    def test_a_restart_neither_loses_nor_repeats(self):
        with self.store() as store, tempfile.TemporaryDirectory(prefix="gpuscope-e2e-") as data_dir:
            with push(store, "--remote-write-labels", "instance=node-1", data_dir=data_dir) as agent:
                wait_until_sent(agent, 1000)
                store.kill()
                harness.wait_for(lambda: state(agent)["pending_ticks"] >= 20, "ticks that wait")
                agent.stop(signal.SIGKILL)
            store.start()
            with push(store, "--remote-write-labels", "instance=node-1", data_dir=data_dir) as agent:
                got = wait_until_sent(agent, 1000)
                self.assertEqual(got["lost_ticks"], 0)
                agent.stop()
            self.assert_equal_to_history(store, data_dir)


class Keeper(http.server.ThreadingHTTPServer):
    """Takes everything over TLS, and remembers the headers."""

    def __init__(self, folder):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                self.server.seen.append((self.path, dict(self.headers)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.seen = []
        self.certificate, key = os.path.join(folder, "certificate.pem"), os.path.join(folder, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", key, "-out", self.certificate], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass  # a client that does not trust us is what a test wants

    def __exit__(self, *arguments):
        self.shutdown()
        super().__exit__(*arguments)


@unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
class OverTls(unittest.TestCase):
    def test_a_server_must_be_vouched_for_and_secrets_stay_secret(self):
        with tempfile.TemporaryDirectory(prefix="gpuscope-e2e-") as folder, Keeper(folder) as keeper:
            token = os.path.join(folder, "token")
            with open(token, "w", encoding="utf-8") as file:
                file.write("very-secret\n")
            url = f"https://127.0.0.1:{keeper.server_port}/write?key=hidden"
            more = ["--method", "sim", "--interval", "100ms", "--remote-write-url", url,
                    "--remote-write-token-file", token]
            env = {"GPUSCOPE_REMOTE_WRITE_HEADERS": "X-Scope-OrgID: gpus-hidden"}
            data_dir = os.path.join(folder, "data")
            with harness.Agent(*more, env=env, data_dir=data_dir) as agent:
                error = harness.wait_for(lambda: state(agent)["error"], "the agent to refuse the server")
                self.assertIn("cannot reach https://127.0.0.1:", error)
                self.assertRegex(error, "certificate")
                log = agent.log
            self.assertEqual(keeper.seen, [])
            with harness.Agent(*more, "--remote-write-ca-file", keeper.certificate, env=env,
                               data_dir=data_dir) as agent:
                harness.wait_for(lambda: state(agent)["sent_samples"], "samples to be sent")
                path, headers = keeper.seen[0]
                self.assertEqual(path, "/write?key=hidden")
                self.assertEqual(headers["Authorization"], "Bearer very-secret")
                self.assertEqual(headers["X-Scope-OrgID"], "gpus-hidden")
                self.assertEqual(headers["Content-Encoding"], "snappy")
                shown = log + agent.log + agent.get("/health").text + agent.get("/metrics").text
            for secret in ("very-secret", "hidden"):
                self.assertNotIn(secret, shown)


@unittest.skipUnless(shutil.which(Prometheus.program), "prometheus is not installed")
class ToPrometheus(RemoteWrite, unittest.TestCase):
    store = Prometheus


@unittest.skipUnless(shutil.which(VictoriaMetrics.program), "victoria-metrics is not installed")
class ToVictoriaMetrics(RemoteWrite, unittest.TestCase):
    store = VictoriaMetrics


if __name__ == "__main__":
    unittest.main()
