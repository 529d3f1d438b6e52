"""A machine is recorded and replayed, through the real program."""

import json
import os
import pathlib
import sys
import tempfile
import unittest

if "--update" in sys.argv:
    sys.argv.remove("--update")
    os.environ["UPDATE_GOLDEN"] = "1"

import harness  # noqa: E402

# Made by `gpuscope agent --method sim --sim-gpus 2 --sim-scenario fallen_off_bus --record …`.
MACHINE = harness.SOURCE / "tests" / "machines" / "two-falling-off-bus" / "recording"


# What an agent makes of several ticks begins anew with a replay.
COUNTED = ("busy_seconds", "xid_last", "xid_errors", "nvlink_tx_bytes_per_second", "nvlink_rx_bytes_per_second")


def leave_out_counted(gpu):
    for key in COUNTED:
        del gpu["metrics"][key]


class Record(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="gpuscope-e2e-")))
        self.file = str(self.folder / "recording")

    def test_comes_back_as_it_was(self):
        simulation = ("--sim-gpus", "4", "--sim-scenario", "mig", "--sim-time", harness.FROZEN)
        with harness.Agent("--method", "sim", *simulation, "--interval", "100ms", "--record", self.file) as agent:
            harness.wait_for(lambda: agent.health()["sources"][0]["ticks"] > 5, "ticks")
            live = agent.get("/api/v1/snapshot").json
            self.assertEqual(agent.stop(), 0)
        with harness.Agent("--replay", self.file, "--interval", "100ms") as agent:
            self.assertEqual(agent.get("/").json["method"], "replay")
            replayed = agent.get("/api/v1/snapshot").json  # waits for the first tick
            self.assertTrue(agent.health()["sources"][0]["simulated"])
        self.assertEqual(replayed["method"], "replay")
        self.assertTrue(replayed["simulated"])
        self.assertEqual(replayed["recorded"]["method"], "sim")
        for one, two in zip(live["gpus"], replayed["gpus"], strict=True):
            for gpu in (one, two):
                gpu["events"] = []
                leave_out_counted(gpu)
            self.assertEqual(one, two)

    def test_goes_on_in_a_file_that_was_cut_off(self):
        for _ in range(2):
            with harness.Agent("--method", "sim", "--interval", "100ms", "--record", self.file) as agent:
                harness.wait_for(lambda: agent.health()["sources"][0]["ticks"] > 3, "ticks")
                self.assertEqual(agent.stop(), 0)
            size = os.path.getsize(self.file)
            os.truncate(self.file, size - 5)
        query = harness.run("query", "--replay", self.file, "--name", "--count")
        self.assertEqual(query.returncode, 1, "the only frame of each run was cut")
        self.assertIn("damaged or cut off", query.stderr)

    def test_a_file_that_cannot_be_written_ends_nothing(self):
        with harness.Agent("--method", "sim", "--record", "/no/such/folder/recording") as agent:
            recording = harness.wait_for(
                lambda: (agent.health()["recording"] or {}).get("error") and agent.health()["recording"], "the failure")
            self.assertIn("cannot write the recording /no/such/folder/recording", recording["error"])
            self.assertIn("cannot write the recording", agent.log)
            self.assertEqual(agent.get("/gpu/list").status, 200)

    def test_health_tells_how_far_it_is(self):
        with harness.Agent("--method", "sim", "--interval", "100ms", "--record", self.file) as agent:
            recording = harness.wait_for(
                lambda: agent.health()["recording"]["ticks"] > 0 and agent.health()["recording"], "a written tick")
            self.assertEqual((recording["file"], recording["error"]), (self.file, None))
            self.assertGreater(recording["bytes"], 0)

    def test_what_is_no_recording_is_refused_in_words(self):
        notes = self.folder / "notes"
        notes.write_text("no recording at all, but long enough\n")
        query = harness.run("query", "--replay", str(notes), "--all")
        self.assertEqual(query.returncode, 1)
        self.assertIn("is not a recording", query.stderr)
        query = harness.run("query", "--replay", str(self.folder / "none"), "--all")
        self.assertEqual((query.returncode, query.stdout), (1, ""))
        self.assertIn("No such file", query.stderr)
        agent = harness.run("agent", "--method", "replay", "--data-dir", str(self.folder / "d"))
        self.assertEqual(agent.returncode, 1)
        self.assertIn("give --replay FILE", agent.stderr)


class Machine(harness.GoldenTest):
    """A recording that stays: every output of it as it was."""

    def test_query_prints_its_last_tick(self):
        got = harness.run("query", "--replay", str(MACHINE), "--all", "--count")
        self.assertEqual((got.returncode, got.stderr), (0, ""))
        self.assert_golden("two-falling-off-bus/query.json", got.stdout)

    def test_the_agent_serves_it(self):
        # One recorded tick at a time until the last, which stays.
        with harness.Agent("--method", "replay", "--replay", str(MACHINE), "--replay-speed", "max",
                           "--interval", "100ms") as agent:
            harness.wait_for(lambda: agent.health()["sources"][0]["ticks"] > 60, "the last tick")
            self.assert_golden("two-falling-off-bus/metric.txt", agent.get("/gpu/metric").text)
            snapshot = agent.get("/api/v1/snapshot").json
        self.assertEqual(snapshot["recorded"]["method"], "sim")
        for gpu in snapshot["gpus"]:
            # What no recording has is left out: the catalogue grows.
            leave_out_counted(gpu)
            gpu["metrics"] = {k: v for k, v in gpu["metrics"].items() if v != "not_yet"}
        snapshot["sequence"] = 0
        self.assert_golden("two-falling-off-bus/snapshot.json",
                           json.dumps(snapshot, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    unittest.main()
