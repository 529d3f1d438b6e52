"""Expressions mean here what they mean to a real Prometheus, on the same data.

DIFFERENTIAL_SECONDS (20) says for how long random expressions are asked, DIFFERENTIAL_SEED from which seed.
"""

import datetime
import math
import os
import pathlib
import shutil
import subprocess
import sys
import time
import unittest
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import harness  # noqa: E402
import remote_write_test as remote_write  # noqa: E402

PROGRAM = os.environ.get("GPUSCOPE_DIFFERENTIAL", "")
SECONDS = int(os.environ.get("DIFFERENTIAL_SECONDS", "20"))

# Over names that an agent has; every one is asked at an instant and at the steps of a range.
EXPRESSIONS = """
DCGM_FI_DEV_GPU_TEMP
DCGM_FI_DEV_POWER_USAGE > 100
DCGM_FI_DEV_GPU_UTIL{gpu=~"0|2"} offset 2s
DCGM_FI_DEV_FB_USED / (DCGM_FI_DEV_FB_USED + DCGM_FI_DEV_FB_FREE)
DCGM_FI_DEV_XID_ERRORS
DCGM_FI_DEV_CLOCKS_EVENT_REASONS
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION
rate(DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION[5s])
increase(gpuscope_gpu_busy_seconds_total[3s])
avg_over_time(DCGM_FI_DEV_SM_CLOCK[4s])
quantile_over_time(0.9, DCGM_FI_DEV_GPU_UTIL[5s])
sum by (modelName) (DCGM_FI_DEV_POWER_USAGE)
topk(1, DCGM_FI_DEV_POWER_USAGE)
gpuscope_gpu_health
gpuscope_gpu_info
count({job="gpuscope", __name__=~"DCGM_.*"}) by (__name__)
count by (__name__) ({job="gpuscope", __name__=~"gpuscope_.*", __name__!="gpuscope_gpu_readings_absent"})
max without (gpu_health) (gpu_temperature_celsius{gpu_uuid!=""})
max without (gpu_health) (gpu_power_watts{gpu_uuid!=""}) > 120
max without (gpu_health) (gpu_memory_used_mib) * on (gpu_uuid) group_left max without (gpu_health) (gpu_memory_usage_percent)
max without (gpu_health) (gpu_health_status)
max without (gpu_health) (gpu_clock_mhz + gpu_memory_clock_mhz)
label_replace(DCGM_FI_DEV_FAN_SPEED, "gpu_uuid", "$1", "UUID", "(.*)") * on (gpu_uuid) group_left max without (gpu_health) (gpu_fan_speed)
absent(gpu_power_watts)
absent(gpu_none{gpu_index="7"})
""".strip().splitlines()


@unittest.skipUnless(shutil.which("prometheus"), "prometheus is not installed")
class Differential(unittest.TestCase):
    maxDiff = None

    @unittest.skipUnless(os.path.exists(PROGRAM), "the program `differential` is not built")
    def test_random_expressions_over_random_series(self):
        # Each run asks other questions; what it prints repeats one.
        seed = os.environ.get("DIFFERENTIAL_SEED") or str(time.time_ns() % 1000000007)
        with remote_write.Prometheus() as prometheus:
            done = subprocess.run([PROGRAM, f"http://127.0.0.1:{prometheus.port}", seed, str(SECONDS)],
                                  capture_output=True, text=True, check=False,
                                  timeout=SECONDS + harness.PATIENCE_SECONDS)
        print(done.stdout)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def answer(self, port, path, **form):
        document = harness.ask(port, f"{path}?{urllib.parse.urlencode(form)}").json
        self.assertEqual(document["status"], "success", document)
        found = {}
        for series in document["data"]["result"]:
            labels = frozenset(series["metric"].items())
            for point in series.get("values") or [series["value"]]:
                found[labels, round(point[0] * 1000)] = float(point[1])
        return found

    def assert_same(self, left, right, expression):
        self.assertEqual(left.keys(), right.keys(), expression)
        for key, value in left.items():
            same = math.isclose(value, right[key], rel_tol=1e-9) or (math.isnan(value) and math.isnan(right[key]))
            self.assertTrue(same, f"{expression}: {key}: we have {value}, Prometheus {right[key]}")

    def test_the_agents_history_is_what_prometheus_was_sent(self):
        with remote_write.Prometheus() as prometheus, remote_write.push(prometheus) as agent:
            # The first ticks may have been kept and not sent; what is asked for looks 5 s back at most, and lies
            # behind what is on its way.
            remote_write.wait_until_sent(agent, 1)
            begin = math.ceil(time.time()) + 6
            harness.wait_for(lambda: time.time() > begin + 8, "time to pass")
            end = math.floor(time.time()) - 3
            # Only what is durable is sent.
            harness.wait_for(lambda: datetime.datetime.fromisoformat(remote_write.state(agent)["newest"]).timestamp() > end + 1,
                             "everything to be sent")
            compared = 0
            for expression in EXPRESSIONS:
                for path, form in (("/api/v1/query", {"time": end}),
                                   ("/api/v1/query_range", {"start": begin, "end": end, "step": "0.7"})):
                    ours = self.answer(agent.port, path, query=expression, **form)
                    theirs = self.answer(prometheus.port, path, query=expression, **form)
                    self.assert_same(ours, theirs, expression)
                    compared += len(ours)
            self.assertGreater(compared, 500)


if __name__ == "__main__":
    unittest.main()
