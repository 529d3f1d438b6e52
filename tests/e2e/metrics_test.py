"""/metrics through the real program: whole pages of seeded machines, settings, and no driver.

UPDATE_GOLDEN=1 (or --update) writes the files in tests/golden instead of comparing them.
"""

import gzip
import os
import pathlib
import re
import sys
import tempfile
import unittest

if "--update" in sys.argv:
    sys.argv.remove("--update")
    os.environ["UPDATE_GOLDEN"] = "1"

import harness  # noqa: E402
from golden_test import simulation  # noqa: E402

MACHINES = ("three-default", "eight-training", "four-fallen-off-bus")
OPEN_METRICS = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3"
# What differs from run to run, though the machine stands still.
MOVING = re.compile(r"^(process_\w+|gpuscope_http_\w+|gpuscope_source_\w*(?:ticks|timestamp|duration)\w*|"
                    r"gpuscope_gpu_busy_seconds_total|gpuscope_gpu_last_seen_timestamp_seconds)"
                    r"(\{.*\})? \S+$", re.MULTILINE)
IDENTITY = re.compile(r'gpu="(\d+)",UUID="[^"]*",pci_bus_id="[^"]*",device="[^"]*",modelName="[^"]*"')
LINK_IDENTITY = re.compile(
    r'gpu="(\d+)",gpu_uuid="[^"]*",pci_bus_id="[^"]*",device="[^"]*",model_name="[^"]*"')


def arguments(machine):
    # What the agent says of its history depends on when it last wrote: history_test.py has that.
    return ("--method", "sim", "--no-history", "--interval", "100ms", "--hostname", "node-1",
            *simulation(machine))


def settled(agent):
    """Waits until rates are known: they need two ticks."""
    harness.wait_for(lambda: agent.health()["sources"][0]["ticks"] >= 3, "three ticks")


def page(agent, accept=""):
    return agent.get("/metrics", headers={"Accept": accept} if accept else {})


def masked(text):
    """Without what moves, and with each GPU's labels once, in front, instead of in every line."""
    who = {}
    for found in IDENTITY.finditer(text):
        who.setdefault(int(found.group(1)), found.group(0))
    text = MOVING.sub(lambda line: f"{line.group(1)}{line.group(2) or ''} <value>", text)
    text = LINK_IDENTITY.sub(r"<link of gpu \1>", IDENTITY.sub(r"<gpu \1>", text))
    return "".join(f"<gpu {index}> = {who[index]}\n" for index in sorted(who)) + text


def samples(text):
    return [line for line in masked(text).splitlines() if not line.startswith("#")]


def names(text):
    return {re.match(r"\w+", line).group(0) for line in text.splitlines() if not line.startswith("#")}


class Golden(harness.GoldenTest):
    def test_pages_are_as_they_were(self):
        for machine in MACHINES:
            with self.subTest(machine), harness.Agent(*arguments(machine)) as agent:
                settled(agent)
                text, open_metrics = page(agent), page(agent, OPEN_METRICS)
                self.assertEqual(text.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
                self.assertEqual(open_metrics.headers["Content-Type"],
                                 "application/openmetrics-text; version=1.0.0; charset=utf-8")
                self.assert_golden(f"{machine}/metrics.txt", masked(text.text))
                # The formats differ in their comments alone: one golden file of those is enough.
                self.assertEqual(samples(open_metrics.text), samples(text.text))
                if machine == MACHINES[0]:
                    self.assert_golden(f"{machine}/metrics.openmetrics.txt", masked(open_metrics.text))


class Answers(unittest.TestCase):
    maxDiff = None

    def test_compress(self):
        with harness.Agent(*arguments("three-default")) as agent:
            settled(agent)
            plain = page(agent)
            self.assertNotIn("Content-Encoding", plain.headers)
            packed = agent.get("/metrics", headers={"Accept-Encoding": "gzip", "Accept": OPEN_METRICS})
            self.assertEqual(packed.headers["Content-Encoding"], "gzip")
            self.assertIn("Accept", packed.headers["Vary"])
            self.assertTrue(gzip.decompress(packed.body).endswith(b"# EOF\n"))

    def test_have_the_traffic_of_each_link(self):
        lane = re.compile(r'^DCGM_FI_DEV_NVLINK_BANDWIDTH_L0\{gpu="\d".* (\S+)$', re.MULTILINE)
        with harness.Agent("--method", "sim", "--interval", "100ms", "--sim-gpus", "8", "--sim-scenario",
                           "training") as agent:
            harness.wait_for(lambda: any(float(rate) > 0 for rate in lane.findall(page(agent).text)),
                             "traffic over the first link")
            self.assertEqual(len(lane.findall(page(agent).text)), 8)

    def test_say_which_health_watch_a_lost_gpu_fails(self):
        with harness.Agent(*arguments("four-fallen-off-bus")) as agent:
            settled(agent)
            failed = [line for line in page(agent).text.splitlines()
                      if line.startswith("DCGM_EXP_GPU_HEALTH_STATUS{") and not line.endswith(" 0")]
            self.assertEqual(len(failed), 1, failed)
            self.assertIn(',health_watch="ALL",health_error_code="DCGM_FR_FALLEN_OFF_BUS",', failed[0])
            self.assertTrue(failed[0].endswith(" 20"), failed[0])

    def test_are_of_one_method(self):
        with harness.Agent(*arguments("three-default")) as agent:
            self.assertEqual(agent.get("/metrics?method=sim").status, 200)
            other = agent.get("/metrics?method=nvml")
            self.assertEqual(other.status, 400)
            self.assertIn("/gpu/metric has the others", other.json["detail"])
            self.assertEqual([source["method"] for source in agent.health()["sources"]], ["sim"])

    def test_move_between_scrapes(self):
        with harness.Agent("--method", "sim", "--interval", "100ms") as agent:
            def busy():
                line = re.search(r'^gpuscope_gpu_busy_seconds_total\{gpu="2".*\} (\S+)$', page(agent).text,
                                 re.MULTILINE)
                return float(line.group(1))
            first = busy()
            harness.wait_for(lambda: busy() > first, "a busy GPU to have worked")


class Settings(unittest.TestCase):
    maxDiff = None

    def test_take_a_list_of_counters(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "counters.csv"
            path.write_text("# Format,,\nDCGM_FI_DEV_GPU_TEMP , gauge, Their own help (in C).\n"
                            "DCGM_FI_DEV_NO_SUCH, gauge, x\nDCGM_FI_DEV_SERIAL, label, Serial\n"
                            "DCGM_EXP_P2P_STATUS, gauge, x\n")
            with harness.Agent(*arguments("three-default"), "--dcgm-counters", str(path)) as agent:
                text = page(agent).text
                self.assertEqual({name for name in names(text) if name.startswith("DCGM")},
                                 {"DCGM_FI_DEV_GPU_TEMP", "DCGM_EXP_P2P_STATUS"})
                self.assertIn("# HELP DCGM_FI_DEV_GPU_TEMP Their own help (in C).\n", text)
                self.assertIn(',Hostname="node-1",DCGM_FI_DEV_SERIAL="SIM123456",simulated="true"} 45.6\n', text)
                self.assertIn("gpuscope_gpu_busy_seconds_total{", text)
                self.assertIn(f"{path}:3: 'DCGM_FI_DEV_NO_SUCH' is no field that this agent has", agent.log)
                self.assertIn('peer_gpu="1",link_status="OK",simulated="true"} 0\n', text)

    def test_refuse_a_list_that_cannot_be_read(self):
        with tempfile.TemporaryDirectory() as folder:
            got = harness.run("agent", "--method", "sim", "--listen", "127.0.0.1:0", "--data-dir", folder,
                              "--dcgm-counters", f"{folder}/none.csv")
            self.assertEqual((got.returncode, got.stdout), (1, ""))
            self.assertIn("none.csv", got.stderr)
            self.assertIn("dcgm_counters", got.stderr)

    def test_choose_names(self):
        with harness.Agent(*arguments("three-default"), "--dcgm-names", "both", "--dcgm-hostname-label",
                           "hostname") as agent:
            text = page(agent).text
            self.assertIn("DCGM_FI_DEV_GPU_UTIL{", text)
            self.assertIn("DCGM_FI_DEV_GPU_UTIL_RATIO{", text)
            self.assertIn(',hostname="node-1",DCGM_FI_DRIVER_VERSION=', text)

    def test_call_the_node_by_its_name(self):
        with harness.Agent("--method", "sim", env={"NODE_NAME": "worker-7"}) as agent:
            self.assertIn('Hostname="worker-7"', page(agent).text)


class WithoutDriver(unittest.TestCase):
    def test_the_page_says_why(self):
        with harness.Agent("--method", "smi", "--nvidia-smi", "/nowhere/nvidia-smi") as agent:
            harness.wait_for(lambda: agent.health()["sources"][0]["state"] == "failed", "a failure")
            answer = page(agent)
            self.assertEqual(answer.status, 200)
            self.assertIn('gpuscope_source_up{method="smi"} 0\n', answer.text)
            self.assertIn("/nowhere/nvidia-smi", answer.text)
            self.assertNotIn("DCGM_", answer.text)


if __name__ == "__main__":
    unittest.main()
