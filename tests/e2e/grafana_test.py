"""Grafana's Prometheus data source, pointed straight at an agent: what it sends is answered as Prometheus would."""

import http.client
import json
import math
import time
import unittest
import urllib.parse

import harness

# As its HTTP client sends them.
HEADERS = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "Grafana/9.3.6",
           "X-Datasource-Uid": "gpuscope", "X-Query-Group-Id": "a", "Accept-Encoding": "identity",
           "X-Grafana-Org-Id": "1", "FromAlert": "false"}


class Grafana(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.agent = harness.Agent("--method", "sim", "--interval", "200ms", "--hostname", "node-1")
        cls.addClassCleanup(cls.agent.__exit__)

        def remembers():
            status, document = cls.send("/api/v1/query", query="gpu_temperature_celsius")
            return status == 200 and document["data"]["result"]
        harness.wait_for(remembers, "samples in the history")

    @classmethod
    def send(cls, path, method="POST", **form):
        body = urllib.parse.urlencode(form, doseq=True)

        connection = http.client.HTTPConnection("127.0.0.1", cls.agent.port, timeout=harness.PATIENCE_SECONDS)
        try:
            if method == "POST":
                connection.request("POST", path, body=body, headers=HEADERS)
            else:
                connection.request("GET", f"{path}?{body}" if body else path, headers=HEADERS)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    @classmethod
    def query(cls, expression, **more):
        status, document = cls.send("/api/v1/query", query=expression, **more)
        assert status == 200, document
        return document["data"]["result"]

    def success(self, path, method="POST", **form):
        status, document = self.send(path, method, **form)
        self.assertEqual((status, document["status"]), (200, "success"), document)
        return document["data"]

    def test_save_and_test(self):
        now = time.time()
        for method in ("POST", "GET"):
            data = self.success("/api/v1/query", method, query="1+1", time=f"{now:.3f}")
            self.assertEqual(data["resultType"], "scalar")
            self.assertAlmostEqual(data["result"][0], now, places=2)
            self.assertEqual(data["result"][1], "2")
        build = self.success("/api/v1/status/buildinfo", "GET")
        self.assertEqual(build["version"], "2.42.0")

    def test_panels(self):
        end = math.floor(time.time()) + 1
        form = {"query": 'sum by (gpu_name, instance, gpu_uuid) (gpu_temperature_celsius{job=~"gpuscope"})',
                "start": str(end - 3600), "end": str(end), "step": "15", "timeout": "60s"}
        for method in ("POST", "GET"):
            data = self.success("/api/v1/query_range", method, **form)
            self.assertEqual(data["resultType"], "matrix")
            self.assertEqual(len(data["result"]), 3)
            for series in data["result"]:
                self.assertEqual(set(series["metric"]), {"gpu_name", "instance", "gpu_uuid"})
                self.assertTrue(series["metric"]["instance"].startswith("node-1:"))
                for moment, value in series["values"]:
                    self.assertEqual((moment - end) % 15, 0)
                    self.assertTrue(0 < float(value) < 120)
        table = self.query("gpu_temperature_celsius", time=str(time.time()))
        self.assertEqual({series["metric"]["gpu_index"] for series in table}, {"0", "1", "2"})
        for series in table:
            self.assertEqual(set(series["metric"]), {"__name__", "gpu_uuid", "gpu_index", "gpu_name", "instance",
                                                     "job", "simulated"})
        self.assertEqual([series["value"][1] for series in self.query("up")], ["1"])
        self.assertEqual(self.success("/api/v1/query_exemplars", **form), [])

    def test_variables_and_the_query_editor(self):
        window = {"start": str(int(time.time()) - 3600), "end": str(int(time.time()))}
        for method in ("POST", "GET"):
            labels = self.success("/api/v1/labels", method, **window)
            self.assertEqual(labels, sorted(labels))
            self.assertLessEqual({"__name__", "gpu_uuid", "gpu_name", "UUID", "instance", "job"}, set(labels))
            self.assertNotIn("gpu_health", labels)
            series = self.success("/api/v1/series", method, **window, **{"match[]": "gpu_power_watts"})
            self.assertEqual(len(series), 3)
            self.assertEqual({each["__name__"] for each in series}, {"gpu_power_watts"})
            some = self.success("/api/v1/labels", method, **window, **{"match[]": "up"})
            self.assertEqual(some, ["__name__", "instance", "job"])
        names = self.success("/api/v1/label/__name__/values", "GET", **window)
        self.assertLessEqual({"up", "gpu_power_watts", "DCGM_FI_DEV_GPU_TEMP", "gpuscope_gpu_health"}, set(names))
        jobs = self.success("/api/v1/label/job/values", "GET", **window,
                            **{"match[]": ["gpu_power_watts", "DCGM_FI_DEV_GPU_TEMP"]})
        self.assertEqual(jobs, ["gpuscope"])
        metadata = self.success("/api/v1/metadata", "GET")
        self.assertEqual(metadata["gpu_power_watts"],
                         [{"type": "gauge", "help": "GPU power consumption in watts", "unit": ""}])
        self.assertEqual(metadata["DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"][0]["type"], "counter")
        self.assertEqual(len(self.success("/api/v1/metadata", "GET", limit="3")), 3)
        self.assertEqual(list(self.success("/api/v1/metadata", "GET", metric="up")), ["up"])

    def test_errors_are_prometheus_s(self):
        for path, form, status, kind, said in (
                ("/api/v1/query", {"query": "up["}, 400, "bad_data", "character 4"),
                ("/api/v1/query", {"query": "histogram_quantile(1, up)"}, 400, "bad_data", "not supported here"),
                ("/api/v1/query", {"query": "up", "time": "never"}, 400, "bad_data", "time"),
                ("/api/v1/query", {"query": "up", "timeout": "x"}, 400, "bad_data", "timeout"),
                ("/api/v1/query", {}, 400, "bad_data", "expected an expression"),
                ("/api/v1/query", {"query": 'gpu_power_watts + on (job) gpu_power_watts'}, 422, "execution",
                 "many-to-many"),
                ("/api/v1/query_range", {"query": "up", "start": "1", "end": "0", "step": "1"}, 400, "bad_data",
                 "end timestamp must not be before start time"),
                ("/api/v1/query_range", {"query": "up", "start": "0", "end": "1", "step": "0"}, 400, "bad_data",
                 "zero or negative query resolution"),
                ("/api/v1/query_range", {"query": "up", "start": "0", "end": "11000", "step": "1"}, 400, "bad_data",
                 "exceeded maximum resolution of 11,000 points per timeseries"),
                ("/api/v1/query_range", {"query": "up[5m]", "start": "0", "end": "1", "step": "1"}, 400, "bad_data",
                 "invalid expression type matrix"),
                ("/api/v1/query_range", {"query": "up"}, 400, "bad_data", "start"),
                ("/api/v1/series", {}, 400, "bad_data", "match[]"),
                ("/api/v1/series", {"match[]": "up[5m]"}, 400, "bad_data", "selector")):
            got, document = self.send(path, **form)
            self.assertEqual((got, document["status"], document["errorType"]), (status, "error", kind), document)
            self.assertIn(said, document["error"])
            self.assertEqual(document["detail"], document["error"])
        got, document = self.send("/api/v1/label/0/values", "GET")
        self.assertEqual((got, document["errorType"]), (400, "bad_data"))


class WithoutHistory(unittest.TestCase):
    def test_the_reason_is_told(self):
        with harness.Agent("--method", "sim", "--no-history") as agent:
            answer = agent.get("/api/v1/query?query=up")
            self.assertEqual((answer.status, answer.json["errorType"]), (503, "unavailable"))
            self.assertIn("keeps no history", answer.json["error"])


if __name__ == "__main__":
    unittest.main()
