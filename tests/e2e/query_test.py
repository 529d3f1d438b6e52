"""The query command: what its callers rely on."""

import json
import unittest

import harness

SIM = ("query", "--sim", "--sim-time", harness.FROZEN)


def document(*arguments):
    got = harness.run(*SIM, *arguments)
    assert got.returncode == 0, got
    return json.loads(got.stdout)


class Query(unittest.TestCase):
    def test_prints_only_what_is_asked_for(self):
        gpus = document("--temp", "--mem")["gpus"]
        self.assertEqual(list(gpus), ["0", "1", "2"])
        for gpu in gpus.values():
            self.assertEqual(set(gpu), {"temp", "mem"})
        self.assertEqual(gpus["0"]["mem"]["value"]["memory_total_mib"], 24000)
        self.assertEqual(document("--count"), {"count": 3})

    def test_every_option_gives_its_field(self):
        for option in ("name temp clocks power plimit mem util uuid fan minor serial vbios driver ecc "
                       "pstate pciegen pciewidth health").split():
            field = document(f"--{option}", "--gpu", "1")["gpus"]["1"][option]
            self.assertEqual((field["has_error"], field["error"]), (False, ""), option)
        self.assertIsInstance(document("--procs")["gpus"]["0"]["processes"], list)
        self.assertEqual(len(document("--all")["gpus"]["2"]), 19)

    def test_one_gpu_keeps_its_index(self):
        self.assertEqual(list(document("--name", "--gpu", "2")["gpus"]), ["2"])

    def test_says_how_to_use_it(self):
        got = harness.run("query")
        self.assertEqual((got.returncode, got.stderr), (0, ""))
        for option in ("--nvml", "--bash", "--sim", "--gpu", "--count", "--all", "--pciewidth"):
            self.assertIn(option, got.stdout)

    def test_refuses_what_it_does_not_know(self):
        for arguments in (("--colour",), ("--temp", "--gpu", "3"), ("--temp", "--gpu", "-1"),
                          ("--temp", "--gpu", "one"), ("--temp", "--gpu"), ("--temp", "surplus"),
                          ("--temp", "--sim-gpus", "0"), ("--temp", "--sim-gpus", "many")):
            got = harness.run(*SIM, *arguments)
            self.assertEqual((got.returncode, got.stdout), (1, ""), arguments)
            self.assertNotEqual(got.stderr, "", arguments)

    def test_takes_the_simulation_from_the_environment_too(self):
        got = harness.run(*SIM, "--count", env={"GPUSCOPE_SIM_GPUS": "12"})
        self.assertEqual(json.loads(got.stdout), {"count": 12})

    def test_no_gpu_is_an_answer(self):
        for arguments, expected in (
                (("--bash", "--name"), {"error": "No NVIDIA GPUs found"}),
                (("--bash", "--name", "--count"), {"error": "No NVIDIA GPUs found", "count": 0})):
            got = harness.run("query", *arguments, env={"PATH": "/nonexistent"})
            self.assertEqual(got.returncode, 1)
            self.assertEqual(json.loads(got.stdout), expected)
            self.assertIn("cannot", got.stderr)


class Program(unittest.TestCase):
    def test_knows_its_version_and_its_commands(self):
        self.assertRegex(harness.run("--version").stdout, r"^gpuscope \d+\.\d+\.\d+\n$")
        got = harness.run("--help")
        self.assertEqual(got.returncode, 0)
        for command in ("agent", "query", "check"):
            self.assertIn(command, got.stdout)
        for arguments in ((), ("nonesuch",), ("agent", "nonesuch"), ("check",)):
            got = harness.run(*arguments)
            self.assertEqual((got.returncode, got.stdout), (1, ""), arguments)
            self.assertIn("Usage", got.stderr)


if __name__ == "__main__":
    unittest.main()
