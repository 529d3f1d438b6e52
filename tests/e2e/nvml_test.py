"""The agent over the simulated driver, a libnvidia-ml.so.1 that can be broken while it is used."""

import os
import pathlib
import shutil
import tempfile
import time
import unittest

import harness

LIBRARY = pathlib.Path(harness.DRIVER_DIR) / "libnvidia-ml.so.1"


@unittest.skipUnless(LIBRARY.exists(), f"the simulated driver is not built: {LIBRARY}")
class OverTheDriver(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gpuscope-e2e-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.faults = self.folder / "faults"

    def break_with(self, faults):
        """From here on, in every process that uses the driver; whole at once, as it is re-read."""
        draft = self.folder / "draft"
        draft.write_text(faults)
        os.replace(draft, self.faults)

    def agent(self, *arguments, gpus=4, faults="", interval="200ms", **variables):
        self.break_with(faults)
        agent = harness.Agent("--method", "nvml", "--interval", interval, *arguments, env={
            "LD_LIBRARY_PATH": str(LIBRARY.parent),
            "GPUSCOPE_SIM_GPUS": str(gpus),
            "GPUSCOPE_SIM_TIME": harness.FROZEN,
            "GPUSCOPE_SIM_FAULTS_FILE": str(self.faults),
            **variables})
        self.addCleanup(agent.__exit__)
        return agent

    @staticmethod
    def metrics(agent):
        """The numbers of each GPU, by its index."""
        return [gpu["metrics"] for gpu in agent.get("/gpu/metrics/json").json["gpus"]]

    def has_power(self, agent):
        return ["power_watts" in metrics for metrics in self.metrics(agent)]

    def test_reads_what_the_simulation_gives_and_says_that_it_is_one(self):
        agent = self.agent()
        through_driver = self.metrics(agent)
        self.assertTrue(agent.get("/").json["simulated"])
        harness.wait_for(lambda: "reads 4 SIMULATED GPUs" in agent.log, "the log to say so")
        with harness.Agent("--method", "sim", "--sim-gpus", "4", "--sim-time", harness.FROZEN) as other:
            directly = self.metrics(other)
            self.assertEqual(other.get("/gpu/list").json, agent.get("/gpu/list").json)
        for mine, its in zip(through_driver, directly, strict=True):
            for key in ("temperature_celsius", "power_watts", "gpu_clock_mhz", "memory_clock_mhz",
                        "memory_used_mib", "memory_total_mib", "gpu_utilization_percent"):
                self.assertAlmostEqual(mine[key], its[key], delta=1, msg=key)

    def test_a_gpu_that_blocks_costs_only_its_own_readings(self):
        agent = self.agent()
        self.assertEqual(self.has_power(agent), [True] * 4)
        self.break_with("2:*=block")
        harness.wait_for(lambda: self.has_power(agent) == [True, True, False, True],
                         "the blocked GPU to be without readings")
        for _ in range(5):
            self.assertEqual(self.has_power(agent), [True, True, False, True])
        self.assertEqual(self.metrics(agent)[2]["health_status"], "unknown")
        harness.wait_for(lambda: "does not answer" in agent.log, "the log to say so")
        self.assertEqual(agent.stop(), 0, agent.log)

    def test_one_of_sixty_four_that_blocks_costs_the_others_no_tick(self):
        agent = self.agent(gpus=64, interval="1s")
        source = lambda: agent.health()["sources"][0]
        harness.wait_for(lambda: all(self.has_power(agent)), "all GPUs to be read")
        self.break_with("7:*=block:30s")
        others = [True] * 7 + [False] + [True] * 56
        harness.wait_for(lambda: self.has_power(agent) == others, "the blocked GPU to be without readings")
        before = source()
        while (now := source())["ticks"] < before["ticks"] + 5:
            self.assertEqual(self.has_power(agent), others)
            time.sleep(0.1)
        self.assertEqual(now["missed_ticks"], before["missed_ticks"])
        self.assertEqual(agent.stop(), 0, agent.log)

    def test_says_how_gpus_reach_each_other_though_one_pair_hangs(self):
        agent = self.agent(gpus=3, faults="2:nvmlDeviceGetP2PStatus=block")
        reached = lambda: {line.rpartition("peer_gpu=")[2].partition(",simulated")[0]
                           for line in agent.get("/metrics").text.splitlines()
                           if line.startswith("DCGM_EXP_P2P_STATUS{gpu=\"0\"")}
        harness.wait_for(lambda: reached() == {'"1",link_status="OK"', '"2",link_status="OK"'}, "its peers")
        self.assertNotIn('DCGM_EXP_P2P_STATUS{gpu="2"', agent.get("/metrics").text)
        self.assertEqual(self.has_power(agent), [True] * 3)
        self.assertEqual(agent.stop(), 0, agent.log)

    def test_a_lost_gpu_comes_back(self):
        agent = self.agent()
        self.assertEqual(self.has_power(agent), [True] * 4)
        self.break_with("1:*=lost")
        harness.wait_for(lambda: self.has_power(agent) == [True, False, True, True], "the loss")
        self.assertEqual(self.metrics(agent)[1]["health_status"], "critical")
        self.assertEqual(len(agent.get("/gpu/list").json["gpus"]), 4)
        harness.wait_for(lambda: "is lost" in agent.log, "the log to say so")
        self.break_with("")
        harness.wait_for(lambda: self.has_power(agent) == [True] * 4, "the GPU to be back")
        harness.wait_for(lambda: "answers again" in agent.log, "the log to say so")

    def test_a_driver_that_does_not_match_is_named_and_picked_up_once_it_does(self):
        agent = self.agent(faults="init=mismatch")
        answer = harness.wait_for(
            lambda: (a := agent.get("/gpu/list")).status == 503 and a, "the refusal")
        self.assertIn("version", answer.json["detail"])
        health = agent.get("/health")
        self.assertEqual((health.status, health.json["status"]), (200, "degraded"))
        self.assertIn("reboot", health.text)
        self.break_with("")
        harness.wait_for(lambda: agent.get("/gpu/list").status == 200, "the driver to be picked up")
        self.assertEqual(agent.health()["status"], "healthy")


if __name__ == "__main__":
    unittest.main()
