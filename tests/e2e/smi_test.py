"""The agent over simulated command-line tools, an nvidia-smi and a dcgmi that can be broken while they
are used."""

import json
import os
import pathlib
import shutil
import tempfile
import unittest

import harness

TOOLS = pathlib.Path(harness.DRIVER_DIR) / "simulated-tools"


@unittest.skipUnless((TOOLS / "nvidia-smi").exists(), f"the simulated tools are not built: {TOOLS}")
class OverTheTools(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gpuscope-e2e-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.environment = {
            "PATH": f"{TOOLS}:{os.environ['PATH']}",
            "GPUSCOPE_SIM_TIME": harness.FROZEN,
            "GPUSCOPE_SIM_TOOL_FAULTS_FILE": str(self.folder / "faults")}
        self.break_with("")

    def break_with(self, faults):
        """From here on, in every run of a tool; whole at once, as it is re-read."""
        draft = self.folder / "draft"
        draft.write_text(faults)
        os.replace(draft, self.folder / "faults")

    def agent(self, *arguments, method="smi", **environment):
        agent = harness.Agent("--method", method, "--interval", "200ms", *arguments,
                              env=self.environment | environment)
        self.addCleanup(agent.__exit__)
        return agent

    @staticmethod
    def metrics(agent):
        answer = agent.get("/gpu/metrics/json")
        return [gpu["metrics"] for gpu in answer.json["gpus"]] if answer.status == 200 else []

    def running(self, agent):
        harness.wait_for(lambda: len(self.metrics(agent)) == 3, "three GPUs to be read")
        return agent

    def children(self, agent):
        """The command lines of the agent's children."""
        lines = []
        for task in pathlib.Path(f"/proc/{agent.process.pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                try:
                    lines.append(pathlib.Path(f"/proc/{child}/cmdline").read_text().replace("\0", " "))
                except FileNotFoundError:
                    pass
        return lines

    def test_query_bash_prints_what_the_simulation_gives(self):
        mine = harness.run("query", "--bash", "--all", env=self.environment)
        its = harness.run("query", "--sim", "--all", env=self.environment)
        self.assertEqual((mine.returncode, mine.stderr), (0, ""))
        mine, its = json.loads(mine.stdout)["gpus"], json.loads(its.stdout)["gpus"]
        self.assertEqual(mine.keys(), its.keys())
        for index, gpu in mine.items():
            for field in ("name", "uuid", "serial", "vbios", "driver", "minor", "pstate", "pciegen", "pciewidth",
                          "plimit", "ecc", "clocks"):
                self.assertEqual(gpu[field], its[index][field], field)
            self.assertAlmostEqual(gpu["temp"]["value"], its[index]["temp"]["value"], delta=1)
            self.assertAlmostEqual(gpu["power"]["value"], its[index]["power"]["value"], delta=0.01)
            self.assertEqual({p["pid"] for p in gpu["processes"]}, {p["pid"] for p in its[index]["processes"]})
            # dcgmi's word stands beside our own verdict.
            report = gpu["health"]["value"]["body"]["GPU"]["children"]["0"]
            self.assertEqual(report["source"], {"value": "Healthy", "text": ""})

    def test_query_bash_says_where_the_tool_is_missing(self):
        empty = self.environment | {"PATH": str(self.folder)}
        answer = harness.run("query", "--bash", "--count", env=empty)
        self.assertEqual(answer.returncode, 1)
        self.assertIn("nvidia-smi", answer.stderr)
        self.assertIn("--nvidia-smi", answer.stderr)
        elsewhere = empty | {"GPUSCOPE_NVIDIA_SMI": str(TOOLS / "nvidia-smi")}
        answer = harness.run("query", "--bash", "--count", env=elsewhere)
        self.assertEqual(json.loads(answer.stdout), {"count": 3}, answer.stderr)

    def test_the_agent_reads_through_one_loop_and_forks_for_no_request(self):
        agent = self.running(self.agent())
        self.assertTrue(agent.get("/").json["simulated"])
        def loop_alone():
            children = self.children(agent)
            return children if len(children) == 1 and "-lms 200" in children[0] else None
        first = harness.wait_for(loop_alone, "the loop alone to run")
        for _ in range(50):
            self.metrics(agent)
            agent.get("/gpu/metric")
        self.assertEqual([line for line in self.children(agent) if "-lms" in line], first)

    def test_bash_is_another_name_of_smi(self):
        agent = self.agent("--sim-gpus", "3", method="sim")
        by_one = harness.wait_for(lambda: (a := agent.get("/gpu/list?method=smi")).status == 200 and a, "smi")
        by_other = agent.get("/gpu/list?method=bash")
        self.assertEqual(by_one.json, by_other.json)

    def test_auto_takes_the_tools_where_there_is_no_library(self):
        agent = self.running(self.agent(method="auto"))
        harness.wait_for(lambda: "reads 3 SIMULATED GPUs" in agent.log, "the log to say so")

    def test_a_tool_that_hangs_costs_its_values_and_nothing_else(self):
        agent = self.running(self.agent())
        harness.wait_for(lambda: any("-lms" in line for line in self.children(agent)), "the loop")
        self.break_with("*=hang")
        harness.wait_for(lambda: all("power_watts" not in metrics for metrics in self.metrics(agent)),
                         "values of the loop to end")
        self.assertEqual(len(agent.get("/gpu/list").json["gpus"]), 3)
        # Which tool does not answer stands in /health for as long as it does not.
        harness.wait_for(lambda: "nvidia-smi" in agent.get("/health").text, "the reason")
        self.break_with("")
        harness.wait_for(lambda: all("power_watts" in metrics for metrics in self.metrics(agent)),
                         "the tool to be picked up")
        harness.wait_for(lambda: "nvidia-smi" not in agent.get("/health").text, "the reason to be gone")
        self.break_with("*=hang")
        harness.wait_for(lambda: all("power_watts" not in metrics for metrics in self.metrics(agent)),
                         "values of the loop to end")
        self.assertEqual(agent.stop(), 0, agent.log)

    def test_a_driver_that_does_not_match_is_named_and_picked_up_once_it_does(self):
        self.break_with("nvidia-smi=mismatch")
        agent = self.agent()
        answer = harness.wait_for(
            lambda: (a := agent.get("/gpu/list")).status == 503 and a, "the refusal")
        self.assertIn("version", answer.json["detail"])
        self.assertIn("reboot", agent.get("/health").text)
        self.break_with("")
        harness.wait_for(lambda: agent.get("/gpu/list").status == 200, "the driver to be picked up")

    def test_dcgmi_does_not_hide_a_gpu_that_needs_a_reset(self):
        self.break_with("query=reset:1")
        agent = self.running(self.agent())

        def report():
            gpu = agent.get("/gpu/" + agent.get("/gpu/list").json["gpus"][1]["uuid"]).json
            return gpu["health"]["value"]["body"]
        harness.wait_for(lambda: report()["Overall Health"]["value"] not in ("Healthy", "Caution"),
                         "our own verdict")
        self.assertEqual(report()["GPU"]["children"]["0"]["source"]["value"], "Healthy")


if __name__ == "__main__":
    unittest.main()
