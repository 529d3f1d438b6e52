"""`gpuscope fleet` over a real Prometheus and a real VictoriaMetrics, an agent's own analysis, and what was recorded of the
earlier system."""

import base64
import http.client
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

import harness

RECORDED = harness.SOURCE.parent / "shared/data/earlier-systems/fleet"
SAMPLE = re.compile(r"^(\w+\{.*\}) (\S+) (\d+)$")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """An engine that holds the samples of an OpenMetrics text; ended when its block ends."""

    def __init__(self, arguments, ready):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        harness.wait_for(lambda: self.answers(ready), "the engine to be ready")

    def answers(self, path):
        try:
            return harness.ask(self.port, path).status == 200
        except OSError:
            return False

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(harness.PATIENCE_SECONDS)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Prometheus(Server):
    def __init__(self, samples=None, scrape=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gpuscope-e2e-"))
        self.port = free_port()
        data = self.folder / "data"
        if samples:
            (self.folder / "samples.om").write_text(samples)
            subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics", self.folder / "samples.om", data],
                           check=True, capture_output=True, timeout=harness.PATIENCE_SECONDS)
        jobs = [] if scrape is None else [{"job_name": "gpus", "static_configs": [{"targets": [scrape]}]}]
        (self.folder / "prometheus.yml").write_text(json.dumps(
            {"global": {"scrape_interval": "1s"}, "scrape_configs": jobs}))
        super().__init__(["prometheus", f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={data}",
                          "--storage.tsdb.retention.time=10y", f"--web.listen-address=127.0.0.1:{self.port}"],
                         "/-/ready")


class VictoriaMetrics(Server):
    def __init__(self, samples=None, scrape=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gpuscope-e2e-"))
        self.port = free_port()
        jobs = [] if scrape is None else [{"job_name": "gpus", "scrape_interval": "1s",
                                           "static_configs": [{"targets": [scrape]}]}]
        (self.folder / "scrape.yml").write_text(json.dumps({"scrape_configs": jobs}))
        super().__init__(["victoria-metrics", f"-storageDataPath={self.folder}/data",
                          f"-httpListenAddr=127.0.0.1:{self.port}", f"-promscrape.config={self.folder}/scrape.yml",
                          "-retentionPeriod=10y", "-search.latencyOffset=0s", "-search.disableCache",
                          "-memory.allowedPercent=5"], "/health")
        if samples:
            self.take(samples)

    def take(self, samples):
        lines = [SAMPLE.match(line) for line in samples.splitlines()]
        body = "".join(f"{found[1]} {found[2]} {found[3]}000\n" for found in lines if found)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", "/api/v1/import/prometheus", body)
        assert connection.getresponse().status == 204
        connection.close()
        harness.ask(self.port, "/internal/force_flush")


class Fleet(harness.Agent):
    """A running `gpuscope fleet`."""

    def __init__(self, url, *arguments, env=None, data_dir=None):
        self.home = tempfile.mkdtemp(prefix="gpuscope-e2e-")
        self.data_dir = data_dir or os.path.join(self.home, "data")
        self.log_path = os.path.join(self.home, "log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [harness.PROGRAM, "fleet", "--listen", "127.0.0.1:0", "--data-dir", self.data_dir, *arguments],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, cwd=self.home,
                env=harness.clean_environment(self.home, {"PROM_URL": url, **(env or {})}))
        line = self.process.stdout.readline().decode()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
        if not found:
            self.stop()
            raise AssertionError(f"the fleet did not start; it said {line!r} and logged {self.log}")
        self.port = int(found.group(1))

    def results(self, count):
        def enough():
            results = self.get("/results").json
            return results if len(results) == count else None
        try:
            return harness.wait_for(enough, f"{count} results")
        except AssertionError as error:
            raise AssertionError(f"{error}; it logged {self.log}") from None


def shifted(text):
    """Recorded samples as if the last had come just now."""
    last = max(int(found[3]) for found in map(SAMPLE.match, text.splitlines()) if found)
    by = int(time.time()) - last
    return "".join(f"{found[1]} {found[2]} {int(found[3]) + by}\n" if found else line + "\n"
                   for line in text.splitlines() for found in [SAMPLE.match(line)])


def shape(value):
    """Keys and types of a document, whatever it says."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__


def without(document, *keys):
    return {key: value for key, value in document.items() if key not in keys}


def families(text):
    """{name: label names} of an exposition."""
    found = {}
    for line in text.splitlines():
        if sample := re.match(r"(gpu_\w+)(?:\{(.*)\})? \S+$", line):
            labels = set(re.findall(r'(\w+)="(?:[^"\\]|\\.)*"', sample[2] or ""))
            found.setdefault(sample[1], set()).update(labels)
    return found


@unittest.skipUnless(RECORDED.is_dir(), f"no recordings in {RECORDED}")
@unittest.skipUnless(shutil.which("promtool") and shutil.which("victoria-metrics"),
                     "prometheus or victoria-metrics is not installed")
class Recorded(unittest.TestCase):
    @staticmethod
    def recorded(name):
        return json.loads((RECORDED / f"{name}.json").read_text())

    def assert_same_keys(self, fleet, path, name, more=()):
        got = fleet.get(path).json
        self.assertEqual(shape(without(got, *more) if isinstance(got, dict) else got), shape(self.recorded(name)), path)

    def test_scores_are_the_recorded_ones_whatever_the_engine(self):
        samples = shifted((RECORDED / "input-dcgm.om").read_text())
        expected = {each["gpu_id"]: each for each in self.recorded("results")}
        scores = {}
        for engine in (Prometheus, VictoriaMetrics):
            with engine(samples) as server, Fleet(server.url) as fleet:
                results = fleet.results(len(expected))
                self.assertEqual([each["gpu_id"] for each in results], list(expected))
                for each in results:
                    known = expected[each["gpu_id"]]
                    self.assertAlmostEqual(each["score"], known["score"], delta=0.5)
                    for key in ("pod", "namespace", "hostname", "model_name", "status", "sm_clock", "mem_total_mb"):
                        self.assertEqual(each[key], known[key])
                    scores.setdefault(each["gpu_id"], []).append(each["score"])
                if engine is Prometheus:
                    self.compare_documents(fleet)
        for gpu, both in scores.items():
            self.assertAlmostEqual(*both, delta=0.1, msg=gpu)

    def compare_documents(self, fleet):
        harness.wait_for(lambda: fleet.get("/health").json["prometheus_connected"], "a connection")
        got = fleet.get("/results").json
        # What the built-in adviser says stands beside what was always there.
        self.assertEqual([shape(without(each, "opinion")) for each in got],
                         [shape(each) for each in self.recorded("results")])
        self.assertTrue(all(each["opinion"]["reason"] for each in got))
        low = fleet.get("/results/low").json
        self.assertEqual(shape({**low, "gpus": [without(each, "opinion") for each in low["gpus"]]}),
                         shape(self.recorded("results_low")))
        self.assertEqual(low["count"], 2)
        stats, known = fleet.get("/results/stats").json, self.recorded("results_stats")
        self.assertEqual(shape(stats), shape(known))
        self.assertEqual(stats["by_status"], known["by_status"])
        self.assertAlmostEqual(stats["avg_score"], known["avg_score"], delta=0.5)
        self.assert_same_keys(fleet, "/", "root")
        self.assert_same_keys(fleet, "/health", "health", more=["analysis"])
        self.assert_same_keys(fleet, "/config", "config")
        self.assert_same_keys(fleet, "/analyze", "analyze")
        self.assertEqual(fleet.get("/nothing").json, self.recorded("not_found"))
        update = fleet.get("/config/update?threshold=25&interval=60", method="POST").json
        self.assertEqual(update["updates"], self.recorded("config_update")["updates"])
        self.assertEqual(shape(update), shape(self.recorded("config_update")))
        known = self.recorded("config_after")
        after = fleet.get("/config").json
        self.assertEqual((after["thresholds"], after["scheduler"], after["scoring"]),
                         (known["thresholds"], known["scheduler"], known["scoring"]))
        bad = fleet.get("/config/update?threshold=101", method="POST")
        self.assertEqual((bad.status, bad.json["error"]), (400, self.recorded("config_update_bad")["error"]))
        # One more run may follow from /analyze; it changes nothing in these.
        want = families((RECORDED / "metrics.txt").read_text())
        want = {name: labels for name, labels in want.items() if not name.endswith("_created")}
        self.assertEqual(families(fleet.get("/metrics").text), want)


@unittest.skipUnless(shutil.which("promtool") and shutil.which("victoria-metrics"),
                     "prometheus or victoria-metrics is not installed")
class Agents(unittest.TestCase):
    def test_judge_their_own_history_as_engines_do(self):
        """The same samples, of an agent's history, exported and taken in by engines, and scraped."""
        with harness.Agent("--method", "sim", "--sim-time", harness.FROZEN, "--hostname", "node-1") as agent:
            self.assertEqual(agent.get("/config").json["prometheus"]["query_condition"], "{}")

            def judged():
                agent.get("/analyze")
                results = agent.get("/results").json
                return results if len(results) == 3 and all(each["score"] for each in results) else None
            own = harness.wait_for(judged, "the agent to judge its GPUs")
            self.assertEqual({each["hostname"] for each in own}, {"node-1"})
            self.assertEqual({each["model_name"] for each in own}, {"SIM-RTX4090", "SIM-RTX3080", "SIM-GTX1060"})
            known = {each["gpu_id"]: each["score"] for each in own}
            about = agent.get("/").json
            self.assertLessEqual({"service", "version", "features", "config", "endpoints", "method"}, about.keys())
            health = agent.health()
            self.assertTrue(health["prometheus_connected"])
            self.assertEqual(health["status"], "healthy")
            self.assertIn('gpu_total_count 3\n', agent.get("/metrics").text)
            self.assertTrue(agent.get("/metrics", headers={"Accept": "application/openmetrics-text"}).text
                            .endswith("# EOF\n"))
            self.assert_judged(f"http://127.0.0.1:{agent.port}", known)  # an agent is an engine, too
            for engine in (Prometheus, VictoriaMetrics):
                with engine(scrape=f"127.0.0.1:{agent.port}") as server:
                    self.assert_judged(server.url, known)
            agent.stop()
            export = harness.run("history", "export", "--data-dir", agent.data_dir, "--format", "openmetrics", "--all")
            self.assertEqual(export.returncode, 0, export.stderr)
        samples = "\n".join(line if not (found := re.match(r"^(\w+\{.*\}) (\S+) (\d+)(?:\.\d+)?$", line))
                            else f"{found[1]} {found[2]} {found[3]}" for line in export.stdout.splitlines()) + "\n"
        with VictoriaMetrics(samples) as server:
            self.assert_judged(server.url, known)
        with Prometheus(samples=export.stdout) as server:
            self.assert_judged(server.url, known)

    def assert_judged(self, url, known):
        environment = {"QUERY_CONDITION": "{}", "INTERVAL": "1", "STEP": "1s"}
        with Fleet(url, env=environment) as fleet:
            def all_scored():
                results = fleet.get("/results").json
                return results if len(results) == len(known) and all(each["score"] for each in results) else None
            try:
                got = harness.wait_for(all_scored, "all GPUs to be judged")
            except AssertionError as error:
                raise AssertionError(f"{error}: {fleet.get('/results').text} {fleet.log}") from None
            for each in got:
                self.assertAlmostEqual(each["score"], known[each["gpu_id"]], delta=0.1)


class Scripted(http.server.ThreadingHTTPServer):
    """An engine with one GPU, until it is told to hang; over TLS with `certificates`, the folder of them. It answers only who
    sends `headers`, and says `more` beside its data."""
    daemon_threads = True

    def __init__(self, certificates=None, headers=None, more=None):
        self.hangs = threading.Event()
        self.trickles = False  # where it hangs: in the middle of an answer
        self.ends = threading.Event()
        self.asked_in_vain = threading.Event()
        self.refused = 0
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, document, status=200):
                body = json.dumps(document, separators=(",", ":")).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def is_refused(self):
                if all(self.headers[name] == value for name, value in (headers or {}).items()):
                    return False
                server.refused += 1
                self.answer({"status": "error", "error": "no org id"}, status=401)
                return True

            def hang(self):
                server.asked_in_vain.set()
                if server.trickles:
                    self.send_response(200)
                    self.send_header("Content-Length", "1000000")
                    self.end_headers()
                    self.wfile.write(b'{"status":"success","data":{"resultType":"vector","result":[')
                while not server.ends.wait(0.1):
                    if server.trickles:
                        self.wfile.write(b" ")

            def do_GET(self):
                if self.is_refused():
                    return
                if "/api/v1/query" in self.path:
                    self.answer({"status": "success", "data": {"resultType": "scalar", "result": [1, "1"]}})
                else:
                    self.answer({"status": "success", "data": []})

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                if self.is_refused():
                    return
                if server.hangs.is_set():
                    self.close_connection = True
                    try:
                        self.hang()
                    except OSError:
                        pass
                    return
                labels = {"UUID": "GPU-a", "pod": "p", "namespace": "n"}
                self.answer({"status": "success", "data": {"resultType": "vector", "result": [
                    {"metric": labels, "value": [1, "50"]}]}, **(more or {})})

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        if certificates:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(f"{certificates}/server.pem", f"{certificates}/server.key")
            self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.url = f"http{'s' if certificates else ''}://127.0.0.1:{self.server_port}"

    def handle_error(self, *_):
        pass  # who does not trust it leaves in the middle of a handshake

    def __exit__(self, *arguments):
        self.ends.set()
        self.shutdown()
        super().__exit__(*arguments)


class Service(unittest.TestCase):
    def test_keeps_results_over_a_restart_in_the_middle_of_a_run(self):
        with Scripted() as engine, Fleet(engine.url) as fleet:
            before = fleet.results(1)
            last = fleet.get("/health").json["last_analysis"]
            harness.wait_for(lambda: os.path.exists(f"{fleet.data_dir}/fleet.db"), "results to be kept")
            engine.hangs.set()
            fleet.get("/analyze")
            engine.asked_in_vain.wait(harness.PATIENCE_SECONDS)
            fleet.stop(signal.SIGKILL)
            with Fleet(engine.url, data_dir=fleet.data_dir) as again:
                # A run that does not come to its end is under way.
                self.assertEqual(again.get("/results").json, before)
                self.assertEqual(again.get("/health").json["last_analysis"], last)

    def test_ends_within_five_seconds_whatever_the_engine_does(self):
        for trickles in (False, True):
            with self.subTest(trickles=trickles), Scripted() as engine, Fleet(engine.url) as fleet:
                fleet.results(1)
                engine.trickles = trickles
                engine.hangs.set()
                fleet.get("/analyze")
                self.assertTrue(engine.asked_in_vain.wait(harness.PATIENCE_SECONDS))
                started = time.monotonic()
                self.assertEqual(fleet.stop(), 0)
                self.assertLess(time.monotonic() - started, 5)

    def test_shows_who_it_is_over_tls(self):
        with tempfile.TemporaryDirectory(prefix="gpuscope-e2e-") as folder:
            harness.make_certificates(folder)
            secret = pathlib.Path(folder, "password")
            secret.write_text("open sesame\n")
            basic = base64.b64encode(b"fleet:open sesame").decode()
            with Scripted(certificates=folder, headers={"Authorization": f"Basic {basic}"}) as engine:
                known = {"PROM_USERNAME": "fleet", "PROM_PASSWORD_FILE": str(secret)}
                trusts = {"PROM_CA_FILE": f"{folder}/ca.pem"}
                with Fleet(engine.url, env={**known, **trusts}) as fleet:
                    fleet.results(1)
                    self.assertEqual(engine.refused, 0)
                    harness.wait_for(lambda: fleet.get("/health").json["prometheus_connected"], "a connection")
                    self.assertNotIn("open sesame", fleet.log + fleet.get("/config").text)
                with Fleet(engine.url, env=known) as fleet:
                    self.assert_fails(fleet, "certificate")
                self.assertEqual(engine.refused, 0, "who is not trusted is told no password")
                secret.write_text("open barley")
                with Fleet(engine.url, env={**known, **trusts}) as fleet:
                    self.assert_fails(fleet, "it wants other credentials")
                    # A file is read again for every request.
                    secret.write_text("open sesame")
                    fleet.get("/analyze")
                    fleet.results(1)

    def assert_fails(self, fleet, words):
        error = harness.wait_for(lambda: fleet.get("/health").json["analysis"]["error"], "a run to fail")
        self.assertIn(words, error)
        self.assertEqual(fleet.get("/results").json, [])

    def test_names_its_tenant_and_repeats_what_stores_say(self):
        """As Mimir wants it and Thanos says it."""
        says = {"warnings": ["store 10.0.0.7 is away"], "isPartial": True}
        with Scripted(headers={"X-Scope-OrgID": "gpus"}, more=says) as engine:
            with Fleet(engine.url, env={"PROM_HEADERS": "X-Scope-OrgID: gpus"}) as fleet:
                fleet.results(1)
                analysis = fleet.get("/health").json["analysis"]
                self.assertEqual((analysis["partial"], analysis["warnings"]), (True, says["warnings"]))
                self.assertIn("store 10.0.0.7 is away", fleet.log)
                self.assertEqual(engine.refused, 0)
            with Fleet(engine.url) as fleet:
                self.assert_fails(fleet, "no org id")

    def test_goes_on_without_an_engine(self):
        with Fleet(f"http://127.0.0.1:{free_port()}") as fleet:
            harness.wait_for(lambda: fleet.get("/health").json["analysis"]["error"], "a run to fail")
            health = fleet.get("/health").json
            self.assertEqual((health["status"], health["last_analysis"]), ("degraded", None))
            self.assertEqual(fleet.get("/results").json, [])
            self.assertEqual(fleet.get("/results/stats").json,
                             {"total_gpus": 0, "avg_score": 0, "min_score": 0, "max_score": 0,
                              "low_utilization_count": 0, "idle_count": 0, "by_status": {}, "by_namespace": {}})
            self.assertIn("gpu_analysis_errors_total 1\n", fleet.get("/metrics").text)
            self.assertIn("<!doctype html>", fleet.get("/", headers={"Accept": "text/html"}).text)
            self.assertEqual(fleet.get("/openapi.json").json["info"]["title"], "gpuscope fleet")

    def test_refuses_what_cannot_be(self):
        for name, value, words in (("THRESHOLD", "101", "a whole number from 0 to 100"),
                                   ("INTERVAL", "soon", "seconds"),
                                   ("QUERY_CONDITION", "{pod}", "not a query condition")):
            got = harness.run("fleet", "--listen", "127.0.0.1:0", env={name: value})
            self.assertEqual((got.returncode, got.stdout), (1, ""))
            self.assertIn(words, got.stderr)


if __name__ == "__main__":
    unittest.main()
