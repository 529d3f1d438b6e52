"""The agent as its users meet it: every endpoint, errors, start and stop."""

import gzip
import pathlib
import signal
import socket
import tempfile
import time
import unittest

import harness

FIRST = "GPU-0a1b2c3d-4e5f-6172-8192-334455667788"
SIM = ("--method", "sim", "--sim-time", harness.FROZEN)


class Endpoints(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.agent = harness.Agent(*SIM)

    @classmethod
    def tearDownClass(cls):
        cls.agent.__exit__()

    def test_lists_the_gpus(self):
        gpus = self.agent.get("/gpu/list").json["gpus"]
        self.assertEqual([g["name"] for g in gpus], ["SIM-RTX4090", "SIM-RTX3080", "SIM-GTX1060"])
        self.assertEqual(gpus[0], {
            "uuid": FIRST, "name": "SIM-RTX4090", "serial": "SIM123456", "vbios": "90.00.01.00.AB",
            "driver": "525.00", "minor": 0, "pciegen": 4, "pciewidth": 16, "plimit": 350})

    def test_exposes_metrics_with_exact_labels(self):
        answer = self.agent.get("/gpu/metric")
        self.assertEqual(answer.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        samples = [l for l in answer.text.splitlines() if not l.startswith("#")]
        self.assertEqual(len(samples), 3 * 12)
        self.assertRegex(answer.text, r'(?m)^gpu_power_watts\{gpu_uuid="%s",gpu_index="0",'
                         r'gpu_name="SIM-RTX4090",gpu_health="\w+"\} [\d.]+$' % FIRST)

    def test_gives_metrics_as_json_for_all_and_for_one(self):
        everything = self.agent.get("/gpu/metrics/json").json
        one = self.agent.get(f"/gpu/metrics/json/{FIRST}").json
        self.assertEqual([g["gpu_index"] for g in everything["gpus"]], ["0", "1", "2"])
        self.assertEqual(one["metrics"], everything["gpus"][0]["metrics"])
        self.assertRegex(one["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$")

    def test_finds_a_gpu_in_any_case_and_without_its_prefix(self):
        whole = self.agent.get(f"/gpu/{FIRST}").json
        for spelled in (FIRST.upper(), FIRST[4:], FIRST[4:].upper(), FIRST.lower()):
            self.assertEqual(self.agent.get(f"/gpu/{spelled}").json, whole, spelled)

    def test_walks_to_any_value(self):
        whole = self.agent.get(f"/gpu/{FIRST}").json
        clock = whole["clocks"]["value"]["memory_clock_mhz"]
        for path, value in {
                "clocks/value/memory_clock_mhz": clock,
                "clocks/memory_clock_mhz": clock,
                "processes": whole["processes"],
                "name/has_error": False}.items():
            self.assertEqual(self.agent.get(f"/gpu/{FIRST}/{path}").json, {path: value}, path)
        self.assertEqual(
            self.agent.get(f"/gpu/{FIRST}/health/value/body/Overall%20Health/value").json,
            {"health/value/body/Overall Health/value":
             whole["health"]["value"]["body"]["Overall Health"]["value"]})
        self.assertEqual(self.agent.get(f"/gpu/{FIRST}/static").json["serial"], "SIM123456")

    def test_refuses_in_json(self):
        for path, status, detail in (
                ("/gpu/list?method=magic", 400, "Invalid method"),
                ("/gpu/GPU-ffffffff", 404, "GPU not found"),
                ("/gpu/metrics/json/GPU-ffffffff", 404, "GPU not found"),
                (f"/gpu/{FIRST}/no/such", 404, "Field path 'no/such' not found"),
                ("/nowhere", 404, "Not Found")):
            answer = self.agent.get(path)
            self.assertEqual((answer.status, answer.json), (status, {"detail": detail}), path)
        answer = self.agent.get("/gpu/list", method="DELETE")
        self.assertEqual(answer.status, 405)
        self.assertIn("GET", answer.headers["Allow"])

    def test_a_method_that_cannot_run_here_is_503_with_the_reason(self):
        answer = self.agent.get("/gpu/list?method=smi")
        self.assertEqual(answer.status, 503)
        self.assertIn("cannot", answer.json["detail"])
        self.assertEqual(self.agent.get("/gpu/list?method=bash").status, 503)
        self.assertEqual(self.agent.get("/gpu/list?method=sim").status, 200)

    def test_compresses_where_that_is_welcome(self):
        plain = self.agent.get("/gpu/metric", headers={"Accept-Encoding": "identity"})
        packed = self.agent.get("/gpu/metric", headers={"Accept-Encoding": "gzip"})
        self.assertNotIn("Content-Encoding", plain.headers)
        self.assertEqual(packed.headers["Content-Encoding"], "gzip")
        self.assertEqual(gzip.decompress(packed.body), plain.body)
        self.assertLess(len(packed.body), len(plain.body))

    def test_says_what_it_is_to_scripts_and_browsers(self):
        script = self.agent.get("/")
        self.assertEqual(script.json["service"], "gpuscope")
        browser = self.agent.get("/", headers={"Accept": "text/html,application/xhtml+xml"})
        self.assertTrue(browser.headers["Content-Type"].startswith("text/html"))
        self.assertIn("<html", browser.text)

    def test_documents_itself(self):
        openapi = self.agent.get("/openapi.json").json
        self.assertIn("/gpu/list", openapi["paths"])
        docs = self.agent.get("/docs")
        self.assertTrue(docs.headers["Content-Type"].startswith("text/html"))

    def test_is_healthy(self):
        health = self.agent.health()
        self.assertEqual(health["status"], "healthy")


class Life(unittest.TestCase):
    def test_a_signal_ends_it_cleanly(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with harness.Agent(*SIM) as agent:
                idle = socket.create_connection(("127.0.0.1", agent.port))
                begun = time.monotonic()
                self.assertEqual(agent.stop(number), 0, agent.log)
                self.assertLess(time.monotonic() - begun, harness.PATIENCE_SECONDS)
                idle.close()

    def test_a_second_agent_on_the_same_data_is_told_who_holds_it(self):
        with harness.Agent(*SIM) as agent:
            second = harness.run("agent", *SIM, "--listen", "127.0.0.1:0", "--data-dir", agent.data_dir)
            self.assertEqual(second.returncode, 1)
            self.assertIn(f"process {agent.process.pid} holds it", second.stderr)
            self.assertEqual(agent.get("/gpu/list").status, 200)
            agent.stop()
            with harness.Agent(*SIM, data_dir=agent.data_dir) as third:
                self.assertEqual(third.get("/gpu/list").status, 200)

    def test_a_port_in_use_is_a_clear_error(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            got = harness.run("agent", *SIM, "--listen", f"127.0.0.1:{port}", "--data-dir",
                              self.folder())
            self.assertEqual(got.returncode, 1)
            self.assertIn(f"cannot listen on 127.0.0.1:{port}", got.stderr)

    def folder(self):
        made = tempfile.TemporaryDirectory(prefix="gpuscope-e2e-")
        self.addCleanup(made.cleanup)
        return made.name

    def test_settings_come_from_file_environment_and_flags(self):
        config = pathlib.Path(self.folder()) / "agent.yaml"
        config.write_text("method: sim\nsim:\n  gpus: 5\n  seed: 2\n  time: 2026-05-01T12:00:00Z\n")
        with harness.Agent("--config", str(config)) as agent:
            self.assertEqual(len(agent.get("/gpu/list").json["gpus"]), 5)
        with harness.Agent("--config", str(config), env={"GPUSCOPE_SIM_GPUS": "4"}) as agent:
            self.assertEqual(len(agent.get("/gpu/list").json["gpus"]), 4)
        with harness.Agent("--config", str(config), "--sim-gpus", "2",
                           env={"GPUSCOPE_SIM_GPUS": "4"}) as agent:
            self.assertEqual(len(agent.get("/gpu/list").json["gpus"]), 2)

    def test_wrong_settings_are_told_before_anything_starts(self):
        for arguments, said in (
                (("--interval", "fast"), "cannot use --interval: 'fast' is not a duration"),
                (("--listen", "9555x"), "cannot use --listen: '9555x' is not"),
                (("--config", "/nowhere.yaml"), "cannot open /nowhere.yaml: No such file"),
                (("--sim-scenario", "nonesuch"), "--sim-scenario"),
                (("--colour",), "--colour")):
            got = harness.run("agent", *arguments)
            self.assertEqual(got.returncode, 1, arguments)
            self.assertIn(said, got.stderr)
            self.assertEqual(got.stdout, "")


class WithoutADriver(unittest.TestCase):
    """`auto` where there is no GPU at all: it serves, and says what is wrong."""

    def test_serves_and_says_what_is_wrong_once(self):
        # A library of that name that is none stands before the machine's own, if it has one.
        with tempfile.TemporaryDirectory(prefix="gpuscope-e2e-") as folder:
            (pathlib.Path(folder) / "libnvidia-ml.so.1").write_text("not a library")
            with harness.Agent(env={"LD_LIBRARY_PATH": folder}) as agent:
                answer = agent.get("/gpu/list")
                self.assertEqual(answer.status, 503)
                self.assertIn("cannot", answer.json["detail"])
                health = agent.get("/health")
                self.assertEqual(health.status, 200)
                self.assertEqual(health.json["status"], "degraded")
                self.assertIn("cannot", health.text)
                self.assertEqual(agent.get("/gpu/list?method=sim").status, 200)
                harness.wait_for(lambda: "cannot" in agent.log, "the log to say so")
                self.assertEqual(agent.stop(), 0)
                self.assertEqual(agent.log.count("cannot find any"), 1, agent.log)


if __name__ == "__main__":
    unittest.main()
