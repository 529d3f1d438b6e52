"""Settings that change while the agent runs: by a signal, by their file, and what is wrong with them."""

import os
import pathlib
import signal
import tempfile
import unittest

import harness


class Reload(unittest.TestCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="gpuscope-e2e-"))
        self.file = pathlib.Path(folder) / "agent.yaml"

    def write(self, text):
        """As an editor does: another file takes its place."""
        draft = self.file.with_suffix(".new")
        draft.write_text(text)
        os.replace(draft, self.file)

    def agent(self, *arguments):
        return self.enterContext(harness.Agent("--method", "sim", "--config", str(self.file), *arguments))

    def settings(self, agent):
        return agent.health()["settings"]

    def wait_for_log(self, agent, text):
        harness.wait_for(lambda: text in agent.log, f"{text!r} in the log")

    def test_a_changed_file_is_taken(self):
        self.write("log_level: warning\n")
        agent = self.agent()
        self.assertEqual(self.settings(agent), {"file": str(self.file), "error": None, "restart": []})
        self.assertNotIn("info", agent.log)
        self.write("log_level: info\nlog_format: json\n")
        self.wait_for_log(agent, "takes a new value of log_format (from 'text' to 'json')")
        self.assertIn('"level": "info"', agent.log)
        self.assertEqual(self.settings(agent)["restart"], [])

    def test_a_file_may_be_written_in_place(self):
        self.write("log_level: info\n")
        agent = self.agent()
        self.file.write_text("log_level: debug\n")
        self.wait_for_log(agent, "takes a new value of log_level (from 'info' to 'debug')")

    def test_what_needs_a_restart_is_named(self):
        self.write("hostname: one\n")
        agent = self.agent()
        self.write("hostname: two\nlisten: 127.0.0.1:1\nlog_level: debug\n")
        self.wait_for_log(agent, "hostname (from 'one' to 'two') takes a new value when the agent is started again")
        harness.wait_for(lambda: self.settings(agent)["restart"] == ["hostname"], "its name in /health")
        # A flag is stronger than the file: what the file says of it changes nothing.
        self.assertNotIn("listen", agent.log)
        self.write("hostname: one\nlog_level: debug\n")
        harness.wait_for(lambda: self.settings(agent)["restart"] == [], "the end of it")

    def test_another_interval_is_taken_at_once(self):
        self.write("interval: 60s\n")
        agent = self.agent()
        ticks = lambda: agent.health()["sources"][0]["ticks"]
        harness.wait_for(lambda: ticks() == 1, "the first tick")
        self.write("interval: 100ms\nwindow: 5s\n")
        self.wait_for_log(agent, "takes a new value of interval (from '60s' to '100ms')")
        harness.wait_for(lambda: ticks() >= 5, "ticks, long before a minute is over")
        self.assertEqual(self.settings(agent)["restart"], [])

    def test_names_and_counters_of_metrics_are_taken_at_once(self):
        counters = self.file.with_name("counters.csv")
        counters.write_text("DCGM_FI_DEV_GPU_TEMP, gauge, first\n")
        self.write("interval: 100ms\n")
        agent = self.agent()
        page = lambda: agent.get("/metrics").text
        self.assertIn("\nDCGM_FI_DEV_POWER_USAGE{", page())
        self.write(f"interval: 100ms\ndcgm_names: new\ndcgm_hostname_label: hostname\n")
        harness.wait_for(lambda: "\nDCGM_FI_DEV_BOARD_POWER_WATTS{" in page(), "the new names")
        self.assertIn(",hostname=", page())
        self.assertNotIn("DCGM_FI_DEV_POWER_USAGE", page())
        self.write(f"interval: 100ms\ndcgm_counters: {counters}\n")
        harness.wait_for(lambda: "# HELP DCGM_FI_DEV_GPU_TEMP first\n" in page(), "the list")
        self.assertNotIn("DCGM_FI_DEV_POWER_USAGE", page())
        # A signal reads the list itself again.
        counters.write_text("DCGM_FI_DEV_GPU_TEMP, gauge, second\n")
        agent.process.send_signal(signal.SIGHUP)
        harness.wait_for(lambda: "# HELP DCGM_FI_DEV_GPU_TEMP second\n" in page(), "the list as it is now")
        counters.unlink()
        agent.process.send_signal(signal.SIGHUP)
        error = harness.wait_for(lambda: self.settings(agent)["error"], "the error in /health")
        self.assertIn("it is named by the setting dcgm_counters", error)
        self.assertIn("# HELP DCGM_FI_DEV_GPU_TEMP second\n", page())

    def test_a_broken_file_changes_nothing_and_is_told(self):
        self.write("log_level: info\n")
        agent = self.agent()
        self.write("log_level: loud\nlog_format: json\n")
        error = harness.wait_for(lambda: self.settings(agent)["error"], "the error in /health")
        self.assertIn("agent.yaml:1: log_level: 'loud' is not", error)
        self.assertIn("cannot take new settings, and keeps those it has", agent.log)
        self.assertNotIn('"level"', agent.log)
        self.assertEqual(agent.get("/gpu/list").status, 200)
        self.write("log_level: debug\n")
        harness.wait_for(lambda: self.settings(agent)["error"] is None, "the end of the error")
        self.wait_for_log(agent, "takes a new value of log_level (from 'info' to 'debug')")

    def test_a_file_that_goes_is_no_change(self):
        self.write("log_level: debug\n")
        agent = self.agent()
        self.file.unlink()
        agent.process.send_signal(signal.SIGHUP)
        error = harness.wait_for(lambda: self.settings(agent)["error"], "the error in /health")
        self.assertIn("cannot open", error)

    def test_a_signal_reads_them_again(self):
        self.write("log_level: info\n")
        agent = self.agent()
        for _ in range(3):
            agent.process.send_signal(signal.SIGHUP)
        self.wait_for_log(agent, "read its settings again: no change")
        self.assertEqual(agent.stop(), 0)

    def test_without_a_file_a_signal_does_no_harm(self):
        agent = self.enterContext(harness.Agent("--method", "sim"))
        agent.process.send_signal(signal.SIGHUP)
        self.wait_for_log(agent, "read its settings again: no change")
        self.assertEqual(self.settings(agent), {"file": None, "error": None, "restart": []})


if __name__ == "__main__":
    unittest.main()
