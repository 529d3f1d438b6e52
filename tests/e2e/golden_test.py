"""Three seeded machines, standing still, through the real program: every document as it was.

UPDATE_GOLDEN=1 (or --update) writes the files in tests/golden instead of comparing them.
"""

import json
import os
import sys
import unittest

if "--update" in sys.argv:
    sys.argv.remove("--update")
    os.environ["UPDATE_GOLDEN"] = "1"

import harness  # noqa: E402

MACHINES = {
    "three-default": (),
    "eight-training": ("--sim-gpus", "8", "--sim-seed", "7", "--sim-scenario", "training"),
    # Frozen within the window in which one GPU is off the bus.
    "four-fallen-off-bus": ("--sim-gpus", "4", "--sim-scenario", "fallen_off_bus",
                            "--sim-time", "2026-05-01T12:00:40Z"),
}


def simulation(machine):
    return ("--sim-time", harness.FROZEN, *MACHINES[machine])


class Query(harness.GoldenTest):
    def test_prints_the_whole_document(self):
        for machine in MACHINES:
            with self.subTest(machine):
                got = harness.run("query", "--sim", "--all", "--count", *simulation(machine))
                self.assertEqual((got.returncode, got.stderr), (0, ""))
                json.loads(got.stdout)
                self.assert_golden(f"{machine}/query.json", got.stdout)


class Rest(harness.GoldenTest):
    def test_answers_as_it_did(self):
        for machine in MACHINES:
            with self.subTest(machine), harness.Agent("--method", "sim", *simulation(machine)) as agent:
                uuid = agent.get("/gpu/list").json["gpus"][1]["uuid"]
                for name, path in (
                        ("list.json", "/gpu/list"),
                        ("metrics_json.json", "/gpu/metrics/json"),
                        ("gpu_metrics_json.json", f"/gpu/metrics/json/{uuid}"),
                        ("gpu.json", f"/gpu/{uuid}"),
                        ("static.json", f"/gpu/{uuid}/static")):
                    pretty = json.dumps(agent.get(path).json, indent=1, ensure_ascii=False) + "\n"
                    self.assert_golden(f"{machine}/{name}", pretty)
                self.assert_golden(f"{machine}/metric.txt", agent.get("/gpu/metric").text)


if __name__ == "__main__":
    unittest.main()
