"""The catalogue, the latest snapshot and the live stream, as programs use them."""

import http.client
import json
import socket
import time
import unittest

import harness

SIM = ("--method", "sim")


class Stream:
    """One listener: `events` are dicts of event, id and data; comments have a key of their own."""

    def __init__(self, port, path="/api/v1/stream", headers=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=harness.PATIENCE_SECONDS)
        self.connection.request("GET", path, headers=headers or {})
        self.response = self.connection.getresponse()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.response.close()
        self.connection.close()

    def block(self):
        """The next lines up to a blank one; None at the end of the stream."""
        found = {}
        while True:
            line = self.response.readline().decode()
            if not line:
                return None
            line = line.rstrip("\n")
            if not line:
                return found
            key, _, value = line.partition(":")
            found[key or "comment"] = value.removeprefix(" ")

    def tick(self):
        while True:
            got = self.block()
            if got is None or got.get("event") == "tick":
                return got


class Documents(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.agent = harness.Agent(*SIM, "--sim-time", harness.FROZEN)

    @classmethod
    def tearDownClass(cls):
        cls.agent.__exit__()

    def test_the_catalogue_knows_every_key_of_the_snapshot(self):
        catalog = self.agent.get("/api/v1/catalog").json
        keys = {}
        for metric in catalog["metrics"]:
            keys.setdefault(metric["entity"], []).append(metric["key"])
        snapshot = self.agent.get("/api/v1/snapshot").json
        self.assertEqual(len(snapshot["gpus"]), 3)
        for gpu in snapshot["gpus"]:
            self.assertEqual(list(gpu["metrics"]), keys["gpu"])
            self.assertEqual(set(gpu["facts"]) | set(gpu["absent_facts"]), {f["key"] for f in catalog["facts"]})
            for fan in gpu["fans"]:
                self.assertEqual(list(fan["metrics"]), keys["fan"])
            for process in gpu["processes"]:
                self.assertEqual(list(process["metrics"]), keys["process"])
            for value in gpu["metrics"].values():
                self.assertTrue(isinstance(value, (int, float)) or value in (
                    "unsupported", "denied", "failed", "timed_out", "gone", "not_yet"), value)

    def test_the_snapshot_agrees_with_the_other_documents(self):
        snapshot = self.agent.get("/api/v1/snapshot").json
        metrics = self.agent.get("/gpu/metrics/json").json
        for new, old in zip(snapshot["gpus"], metrics["gpus"]):
            self.assertEqual(new["facts"]["uuid"], old["uuid"])
            self.assertEqual(new["metrics"]["temperature_celsius"], old["metrics"]["temperature_celsius"])
            self.assertEqual(new["metrics"]["power_watts"], old["metrics"]["power_watts"])
            self.assertEqual(new["health"]["status"], old["metrics"]["health_status"])

    def test_they_come_compressed_and_refuse_other_methods(self):
        for path in ("/api/v1/snapshot", "/api/v1/catalog"):
            answer = self.agent.get(path, headers={"Accept-Encoding": "gzip"})
            self.assertEqual(answer.headers["Content-Encoding"], "gzip")
        self.assertEqual(self.agent.get("/api/v1/snapshot?method=magic").status, 400)
        replay = self.agent.get("/api/v1/snapshot?method=replay")
        self.assertEqual(replay.status, 503)
        self.assertIn("--replay FILE", replay.json["detail"])


class Live(unittest.TestCase):
    def test_every_tick_comes_once_and_the_first_at_once(self):
        with harness.Agent(*SIM, "--interval", "100ms") as agent, \
                Stream(agent.port, headers={"Last-Event-ID": "17"}) as stream:
            self.assertEqual(stream.response.headers["Content-Type"], "text/event-stream")
            self.assertIsNone(stream.response.headers["Content-Length"])
            self.assertEqual(stream.block(), {"retry": "2000"})
            last = None
            for _ in range(10):
                event = stream.tick()
                document = json.loads(event["data"])
                self.assertEqual(int(event["id"]), document["sequence"])
                self.assertEqual(len(document["gpus"]), 3)
                if last is not None:
                    self.assertEqual(document["sequence"], last + 1)
                last = document["sequence"]

    def test_all_listeners_get_the_same(self):
        with harness.Agent(*SIM, "--interval", "200ms") as agent:
            streams = [Stream(agent.port) for _ in range(20)]
            seen = [{e["id"]: e["data"] for e in (s.tick() for _ in range(4))} for s in streams]
            for one in seen:
                for sequence in set(one) & set(seen[0]):
                    self.assertEqual(one[sequence], seen[0][sequence])
            for stream in streams:
                stream.__exit__()

    def test_it_ends_with_the_agent(self):
        with harness.Agent(*SIM) as agent, Stream(agent.port) as stream:
            stream.tick()
            begun = time.monotonic()
            self.assertEqual(agent.stop(), 0)
            self.assertLess(time.monotonic() - begun, 10)
            while stream.block() is not None:
                pass

    def test_a_listener_that_does_not_read_holds_up_nobody(self):
        with harness.Agent(*SIM, "--sim-gpus", "200", "--interval", "100ms") as agent:
            stuck = socket.create_connection(("127.0.0.1", agent.port))
            stuck.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: x\r\n\r\n")
            with Stream(agent.port) as stream:
                for _ in range(20):
                    self.assertIsNotNone(stream.tick())
            stuck.close()
            self.assertEqual(agent.get("/health").status, 200)

    def test_there_is_a_limit(self):
        with harness.Agent(*SIM, "--stream-listeners", "1") as agent, Stream(agent.port) as stream:
            stream.tick()
            with Stream(agent.port) as refused:
                self.assertEqual(refused.response.status, 503)
            self.assertEqual(agent.get("/gpu/list").status, 200)

    def test_only_the_agents_own_method_streams(self):
        with harness.Agent(*SIM) as agent:
            with Stream(agent.port, "/api/v1/stream?method=nvml") as stream:
                self.assertEqual(stream.response.status, 400)
            with Stream(agent.port, "/api/v1/stream?method=sim") as stream:
                self.assertIsNotNone(stream.tick())


if __name__ == "__main__":
    unittest.main()
