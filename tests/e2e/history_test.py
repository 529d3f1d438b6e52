"""The history, as its users have it: the API's ranges, the file, the commands, the engines behind."""

import concurrent.futures
import csv
import datetime
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse

import harness

SIM = ("--method", "sim", "--interval", "100ms")
GPU = "GPU-0a1b2c3d-4e5f-6172-8192-334455667788"
COLUMNS = ["timestamp", "power_watts", "temperature_celsius", "gpu_clock_mhz", "memory_clock_mhz",
           "gpu_utilization_percent", "memory_utilization_percent", "memory_used_mib", "memory_total_mib",
           "memory_usage_percent", "fan_speed", "health_status", "health_status_numeric"]


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def written(agent):
    """Waits until something is in the file, and gives what /health says of it."""
    return harness.wait_for(lambda: (h := agent.health()["history"])["ticks"] > 0 and h, "ticks in the file")


def later_tick(agent, count=3):
    """Waits until ticks came that were not there yet."""
    ticks = agent.health()["sources"][0]["ticks"]
    harness.wait_for(lambda: agent.health()["sources"][0]["ticks"] >= ticks + count, "more ticks")


def remembered(agent):
    """Waits until a tick that is there now can be looked back at; gives its document."""
    document = agent.get(f"/gpu/metrics/json/{GPU}").json

    def has_it():
        answer = get_range(agent, metric="power_watts", gpu=GPU, start=document["timestamp"], points=11000)
        return answer.status == 200 and answer.json["series"][0]["min"][0] is not None

    harness.wait_for(has_it, "the history to have a tick")
    return document


def get_range(agent, **query):
    return agent.get("/api/v1/range?" + urllib.parse.urlencode(query))


def history(*arguments):
    got = harness.run("history", *arguments)
    assert got.returncode == 0, f"{arguments}: {got.stderr}"
    return got.stdout


class Folder(unittest.TestCase):
    def setUp(self):
        made = tempfile.TemporaryDirectory(prefix="gpuscope-e2e-")
        self.addCleanup(made.cleanup)
        self.folder = pathlib.Path(made.name)

    def agent(self, *arguments, data="data"):
        return harness.Agent(*arguments, data_dir=str(self.folder / data))

    def export(self, out, *arguments, data="data"):
        history("export", "--data-dir", str(self.folder / data), "--out", str(self.folder / out), *arguments)
        return {path.stem: rows_of(path) for path in (self.folder / out).glob("*.csv")}


class Remembers(Folder):
    def test_what_was_served_is_what_is_exported(self):
        served = {}

        def watch(agent):
            document = agent.get("/gpu/metrics/json").json
            for gpu in document["gpus"]:
                served[(document["timestamp"], gpu["uuid"])] = gpu["metrics"]
            return len(served) >= 3 * 8

        with self.agent(*SIM) as agent:
            harness.wait_for(lambda: watch(agent), "eight ticks")
            self.assertEqual(agent.stop(), 0)
            exported = self.export("out")
            self.assertEqual(sorted(exported), sorted({uuid for _, uuid in served}))
            header = (self.folder / "out" / f"{GPU}.csv").read_text().splitlines()[0]
            self.assertEqual(header, ",".join(COLUMNS))
            by_key = {(row["timestamp"], uuid): row for uuid, rows in exported.items() for row in rows}
            for key, metrics in served.items():
                row = by_key[key]
                for name in COLUMNS[1:]:
                    self.assertEqual(row[name], str(metrics.get(name, "")), f"{name} at {key}")
            # Any SQL tool reads who they are, and that they are simulated.
            with sqlite3.connect(f"file:{self.folder}/data/gpuscope.db?mode=ro", uri=True) as file:
                info = file.execute("SELECT uuid, name, plimit FROM gpu_info ORDER BY uuid").fetchall()
                self.assertEqual(info[0], (GPU, "SIM-RTX4090", 350))
                self.assertEqual(file.execute("SELECT min(simulated) FROM gpu").fetchone(), (1,))
            file.close()
            self.assertIn("SIMULATED", history("info", "--data-dir", str(self.folder / "data")))

    def test_ranges_are_what_was_served(self):
        with self.agent(*SIM) as agent:
            document = remembered(agent)
            at = document["timestamp"]
            # So short that no other tick can be in it.
            behind = (datetime.datetime.fromisoformat(at) + datetime.timedelta(microseconds=1)).isoformat()
            one = get_range(agent, metric="power_watts,performance_state", gpu=GPU.lower(), start=at, end=behind)
            self.assertEqual(one.status, 200, one.text)
            power, state = one.json["series"]
            self.assertEqual((power["metric"], power["unit"], power["gpu"]), ("power_watts", "watts", GPU))
            for key in ("min", "mean", "max"):
                self.assertEqual(power[key], [document["metrics"]["power_watts"]])
            self.assertEqual(state["last"], [0])
            table = get_range(agent, metric="power_watts", gpu=GPU, start=at, points=1, format="csv")
            self.assertEqual(table.headers["Content-Type"], "text/csv; charset=utf-8")
            self.assertTrue(table.text.splitlines()[1].startswith(f"{at},{GPU},power_watts,,"), table.text)
            every = get_range(agent, metric="power_watts,temperature_celsius", start="-1m").json["series"]
            self.assertEqual(len(every), 2 * 3)
            for wrong, status in (({"metric": "nothing"}, 400), ({"metric": "power_watts", "points": 0}, 400),
                                  ({"metric": "power_watts", "start": "-1m", "end": "-2m"}, 400),
                                  ({"metric": "power_watts", "gpu": "GPU-none"}, 404)):
                answer = get_range(agent, **wrong)
                self.assertEqual(answer.status, status, wrong)
                self.assertEqual(list(answer.json), ["detail"])
            empty = get_range(agent, metric="power_watts", gpu=GPU, start=0, end=1000, points=5).json
            self.assertEqual(empty["series"][0]["min"], [None] * 5)

    def test_series_are_those_that_there_are(self):
        with self.agent(*SIM) as agent:
            remembered(agent)
            answer = agent.get("/api/v1/series?" + urllib.parse.urlencode(
                {"match[]": '{__name__=~"power_watts|gpu_fan_speed",gpu_uuid=~"GPU-0a.*"}'})).json
            self.assertEqual(answer, {"status": "success", "data": [
                {"__name__": name, "gpu_uuid": GPU, "simulated": "true"}
                for name in ("power_watts", "gpu_fan_speed")]})
            wrong = agent.get("/api/v1/series?match[]=%7B")
            self.assertEqual((wrong.status, wrong.json["errorType"]), (400, "bad_data"))

    def test_many_may_ask_while_it_is_written(self):
        with self.agent(*SIM, "--sim-gpus", "8") as agent:
            remembered(agent)

            def ask(number):
                answer = get_range(agent, metric="power_watts,temperature_celsius", start=f"-{number % 7 + 1}m",
                                   points=100 + number)
                if answer.status != 200:
                    return answer.text
                document = answer.json
                if len(document["series"]) != 16:
                    return f"{len(document['series'])} series"
                for series in document["series"]:
                    for low, mean, high in zip(series["min"], series["mean"], series["max"]):
                        if low is not None and not low <= mean <= high:
                            return f"{low} {mean} {high}"
                return None

            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                self.assertEqual({answer for answer in pool.map(ask, range(80))}, {None})
            self.assertEqual(agent.health()["history"]["dropped_ticks"], 0)

    def test_a_kill_costs_seconds_at_most(self):
        with self.agent(*SIM) as agent:
            last = written(agent)
            later_tick(agent)
            agent.process.kill()
            agent.process.wait()
            before = self.export("before")[GPU]
            self.assertGreaterEqual(len(before), last["ticks"])
            with self.agent(*SIM) as again:
                written(again)
                start, end = before[0]["timestamp"], before[-1]["timestamp"]
                got = get_range(again, metric="power_watts", gpu=GPU, start=start, end=end, points=1).json
                values = [float(row["power_watts"]) for row in before[:-1]]
                self.assertEqual(got["series"][0]["min"], [min(values)])
                self.assertEqual(got["series"][0]["max"], [max(values)])
                later_tick(again)
                again.stop()
            after = self.export("after")[GPU]
            self.assertEqual(after[:len(before)], before)
            self.assertGreater(len(after), len(before))

    def test_metrics_tell_of_it(self):
        with self.agent(*SIM) as agent:
            written(agent)
            page = agent.get("/metrics").text
            for line in ("gpuscope_history_up 1", "gpuscope_history_dropped_ticks_total 0",
                         "gpuscope_history_write_errors_total 0"):
                self.assertIn(f"\n{line}\n", page)
            self.assertRegex(page, r"\ngpuscope_history_size_bytes [1-9]\d+\n")
            self.assertRegex(page, r"\ngpuscope_history_last_write_timestamp_seconds \d+\.\d+\n")


class GoesOnWithout(Folder):
    def test_where_it_is_told_not_to_remember(self):
        with self.agent(*SIM, "--no-history") as agent:
            later_tick(agent)
            self.assertIsNone(agent.health()["history"])
            self.assertNotIn("gpuscope_history_", agent.get("/metrics").text)
            answer = get_range(agent, metric="power_watts")
            self.assertEqual(answer.status, 503)
            self.assertIn("--no-history", answer.json["detail"])
        self.assertFalse((self.folder / "data" / "gpuscope.db").exists())

    def test_where_there_is_no_place_for_data(self):
        (self.folder / "file").write_text("")
        with harness.Agent(*SIM, data_dir=str(self.folder / "file" / "data")) as agent:
            later_tick(agent)
            health = harness.wait_for(lambda: (h := agent.health())["history"]["error"] and h, "the error")
            self.assertEqual(health["status"], "healthy")
            self.assertIn("cannot", health["history"]["error"])
            self.assertIn("\ngpuscope_history_up 0\n", agent.get("/metrics").text)
            self.assertIn("--data-dir", agent.log)
            self.assertEqual(agent.get("/gpu/list").status, 200)

    def test_where_the_file_is_no_history(self):
        (self.folder / "data").mkdir()
        with sqlite3.connect(self.folder / "data" / "gpuscope.db") as file:
            file.execute("CREATE TABLE accounts(id)")
        file.close()
        with self.agent(*SIM) as agent:
            health = harness.wait_for(lambda: (h := agent.health())["history"]["error"] and h, "the error")
            self.assertIn("database of another program", health["history"]["error"])
            self.assertEqual(get_range(agent, metric="power_watts").status, 503)
            later_tick(agent)
            # It is taken away: writing begins by itself.
            os.remove(self.folder / "data" / "gpuscope.db")
            self.assertIsNone(written(agent)["error"])

    def test_what_is_replayed_is_not_remembered(self):
        recording = str(self.folder / "recording")
        with self.agent(*SIM, "--record", recording) as agent:
            later_tick(agent)
        with self.agent("--replay", recording, data="replayed") as agent:
            self.assertIsNone(agent.health()["history"])
            self.assertIn("--history on", get_range(agent, metric="power_watts").json["detail"])
        with self.agent("--replay", recording, "--history", "on", data="replayed") as agent:
            self.assertIsNotNone(agent.health()["history"])


class Exports(Folder):
    def make(self):
        """A file with some ticks of an agent that has ended."""
        with self.agent(*SIM) as agent:
            later_tick(agent, 25)
            agent.stop()

    def test_ranges_steps_and_every_metric(self):
        self.make()
        every = self.export("every")[GPU]
        middle = every[len(every) // 2]["timestamp"]
        late = self.export("late", "--from", middle)[GPU]
        early = self.export("early", "--to", middle)[GPU]
        self.assertEqual(early + late, every)
        self.assertEqual(late[0]["timestamp"], middle)
        steps = self.export("steps", "--step", "1s")[GPU]
        self.assertTrue(all(row["timestamp"].endswith(":%s.000000+00:00" % row["timestamp"][17:19]) for row in steps))
        first = [float(row["power_watts"]) for row in every
                 if row["timestamp"][:19] == steps[1]["timestamp"][:19]]
        self.assertAlmostEqual(float(steps[1]["power_watts"]), sum(first) / len(first), delta=0.001)
        more = self.export("all", "--all")[GPU]
        self.assertEqual([{name: row[name] for name in COLUMNS} for row in more], every)
        self.assertIn("energy_joules", more[0])
        self.assertGreater(len(more[0]), 40)

    def test_refuses_what_makes_no_sense(self):
        self.make()
        data = ("--data-dir", str(self.folder / "data"))
        for arguments, said in (
                (("export", *data), "give --out DIR"),
                (("export", *data, "--out", "x", "--from", "soon"), "cannot use --from"),
                (("export", *data, "--out", "x", "--step", "1"), "cannot use --step"),
                (("export", *data, "--out", "x", "--from", "now", "--to", "-1h"), "before it begins"),
                (("export", *data, "--out", "/proc/x"), "cannot make the directory /proc/x"),
                (("export", *data, "--format", "xml"), "--format"),
                (("export", *data, "--format", "openmetrics", "--label", "1a=b"), "NAME=VALUE"),
                (("export", "--db", "/nowhere.db", "--out", "x"), "/nowhere.db"),
                (("import", *data, "/nowhere.db"), "/nowhere.db"),
                (("import", *data, str(self.folder / "data" / "gpuscope.db")), "cannot import"),
                (("record", *data, "127.0.0.1:1"), "cannot"),
                (("record", *data, "user@host:1"), "cannot"),
                (("record", *data, "127.0.0.1:1", "--interval", "1ms"), "cannot use --interval"),
                (("info", *data, "--gap", "x"), "cannot use --gap"),
                (("info", *data, "extra"), "extra"),
                ((), "subcommand")):
            got = harness.run("history", *arguments)
            self.assertEqual(got.returncode, 1, arguments)
            self.assertIn(said, got.stderr, arguments)
        self.assertEqual(harness.run("history", "--help").returncode, 0)
        self.assertEqual(harness.run("history", "export", "--help").returncode, 0)

    def test_info_and_vacuum(self):
        self.make()
        data = ("--data-dir", str(self.folder / "data"))
        ticks = len(self.export("out")[GPU])
        self.assertRegex(history("info", *data), rf"(?m)^ticks +{ticks} from ")
        self.assertRegex(history("info", *data), r"(?m)^gaps +0 ")
        with self.agent(*SIM) as agent:
            later_tick(agent)
            self.assertIn("now", history("vacuum", *data))
            last = agent.health()["history"]["ticks"]
            harness.wait_for(lambda: agent.health()["history"]["ticks"] > last, "it writes on")
            self.assertIsNone(agent.health()["history"]["error"])
            agent.stop()
        self.assertRegex(history("info", *data, "--gap", "110ms"), r"(?m)^gaps +[1-9]")
        before = self.export("before")
        self.assertIn("now", history("vacuum", *data))
        self.assertEqual(self.export("after"), before)

    @unittest.skipUnless(shutil.which("promtool") and shutil.which("prometheus"), "needs Prometheus")
    def test_prometheus_reads_it_back(self):
        scraped_labels = {}
        with self.agent(*SIM) as agent:
            later_tick(agent, 25)
            for line in re.findall(r"(?m)^DCGM_FI_DEV_GPU_TEMP\{(.*)\}", agent.get("/metrics").text):
                labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
                scraped_labels[labels["UUID"]] = {key: value for key, value in labels.items() if value}
            agent.stop()
        exported = self.export("csv")
        page = self.folder / "history.om"
        history("export", "--data-dir", str(self.folder / "data"), "--format", "openmetrics", "--all",
                "--out", str(page), "--label", "job=gpuscope")
        self.assertTrue(page.read_text().endswith("\n# EOF\n"))
        subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics", str(page), str(self.folder / "tsdb")],
                       check=True, capture_output=True, timeout=harness.PATIENCE_SECONDS)
        (self.folder / "empty.yml").write_text("")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        process = subprocess.Popen(
            ["prometheus", f"--config.file={self.folder}/empty.yml", f"--storage.tsdb.path={self.folder}/tsdb",
             f"--web.listen-address=127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)

        def query(expression, time):
            path = "/api/v1/query?" + urllib.parse.urlencode({"query": expression, "time": time})
            try:
                answer = harness.ask(port, path)
            except OSError:  # it does not listen yet
                return None
            return answer.json["data"]["result"] if answer.status == 200 else None

        for uuid, rows in exported.items():
            end = rows[-1]["timestamp"].replace("+00:00", "Z")
            for name, column in (("gpu_power_watts", "power_watts"), ("gpu_memory_used_mib", "memory_used_mib"),
                                 ("gpu_health_status", "health_status_numeric")):
                found = harness.wait_for(lambda: query(f'{name}{{gpu_uuid="{uuid}"}}[1h]', end), name)
                # A verdict that changed makes another series, as it does on the page.
                healths = {row["timestamp"]: row["health_status"] for row in rows}
                self.assertEqual({series["metric"]["gpu_health"] for series in found}, set(healths.values()))
                self.assertEqual((found[0]["metric"]["job"], found[0]["metric"]["simulated"]), ("gpuscope", "true"))
                self.assertIn(found[0]["metric"]["gpu_index"], ("0", "1", "2"))
                values = sorted(pair for series in found for pair in series["values"])
                self.assertEqual([float(value) for _, value in values],
                                 [float(row[column]) for row in rows], f"{name} of {uuid}")
            dcgm = query(f'DCGM_FI_DEV_GPU_TEMP{{UUID="{uuid}"}}[1h]', end)
            self.assertEqual(scraped_labels[uuid], {key: value for key, value in dcgm[0]["metric"].items()
                                                    if key not in ("__name__", "job")})
            self.assertEqual([float(value) for _, value in dcgm[0]["values"]],
                             [float(row["temperature_celsius"]) for row in rows])


class Interrupted(Folder):
    """Ctrl-C in the middle of long work: it ends at once, and what is there is whole."""
    ROWS = 150_000

    def setUp(self):
        super().setUp()
        self.logger = self.folder / "logger.db"
        with sqlite3.connect(self.logger) as file:
            file.execute("CREATE TABLE gpu_info (uuid TEXT PRIMARY KEY, name TEXT, serial TEXT, vbios TEXT, driver TEXT,"
                         " minor INTEGER, pciegen INTEGER, pciewidth INTEGER, plimit INTEGER)")
            file.execute(f'CREATE TABLE "{GPU}" (timestamp TEXT PRIMARY KEY, power_watts REAL)')
            file.execute(f'INSERT INTO "{GPU}" WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE'
                         f" i < {self.ROWS - 1}) SELECT strftime('%Y-%m-%dT%H:%M:%S', 1780000000 + i, 'unixepoch'),"
                         " i % 997 FROM n")
        file.close()
        self.file = self.folder / "history.db"

    def start(self, *arguments):
        process = subprocess.Popen([harness.PROGRAM, "history", *arguments], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=harness.clean_environment(self.folder))
        self.addCleanup(process.kill)
        return process

    def interrupt(self, process):
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=harness.PATIENCE_SECONDS)
        self.assertEqual(process.returncode, 130, err)
        self.assertIn("stopped by signal 2", err)

    def test_import_and_export(self):
        process = self.start("import", "--db", str(self.file), str(self.logger))
        harness.wait_for((self.folder / "history.db.lock").exists, "it has begun")
        self.interrupt(process)
        with sqlite3.connect(f"file:{self.file}?mode=ro", uri=True) as file:
            self.assertEqual(file.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
        file.close()
        # What had been read is there, and the rest comes with the next.
        said = history("import", "--db", str(self.file), str(self.logger))
        taken, known = map(int, re.search(r"(\d+) rows of .*; (\d+) were there", said).groups())
        self.assertEqual(taken + known, self.ROWS)
        self.assertGreater(taken, 0)

        # Its file is a pipe that is not read on until the signal has come.
        out = self.folder / "history.om"
        part = self.folder / "history.om.part"
        os.mkfifo(part)
        process = self.start("export", "--db", str(self.file), "--format", "openmetrics", "--out", str(out))
        with open(part, "rb") as pipe:
            pipe.read(1000)
            process.send_signal(signal.SIGINT)
            while pipe.read(1 << 16):
                pass
        process.communicate(timeout=harness.PATIENCE_SECONDS)
        self.assertEqual(process.returncode, 130)
        self.assertFalse(out.exists())
        self.assertFalse(part.exists())

    def test_vacuum(self):
        history("import", "--db", str(self.file), str(self.logger))
        busy = sqlite3.connect(self.file, isolation_level=None)
        self.addCleanup(busy.close)
        busy.execute("BEGIN IMMEDIATE")  # it has to wait
        process = self.start("vacuum", "--db", str(self.file))
        harness.wait_for(lambda: process.poll() is not None or
                         b"history.db-wal" in subprocess.run(["ls", "-l", f"/proc/{process.pid}/fd"],
                                                             capture_output=True, check=False).stdout, "it has begun")
        self.interrupt(process)
        busy.execute("ROLLBACK")
        self.assertEqual(busy.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
        self.assertRegex(history("info", "--db", str(self.file)), rf"(?m)^ticks +{self.ROWS} from ")

    def test_record_of_a_server_that_hangs(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            process = self.start("record", f"127.0.0.1:{server.getsockname()[1]}", "--db", str(self.file))
            connection, _ = server.accept()  # and no answer
            self.addCleanup(connection.close)
            begin = time.monotonic()
            self.interrupt(process)
            self.assertLess(time.monotonic() - begin, 9, "the answer may take ten seconds")
        self.assertFalse(self.file.exists())


class Imports(Folder):
    ROWS = [("2026-11-22T09:25:36.144906", 110.29250642357609, 45.97991419283184, 3374.3049938973527, "healthy", 0),
            ("2026-11-22T09:26:37.126716", 102.33940182269856, None, 3326.0, "warning", 2),
            ("2026-11-22T10:26:37", 90.0, 41.5, 3000.0, "unknown", 4)]

    def logger(self):
        """What the earlier logger left."""
        path = self.folder / "gpu_monitor.db"
        with sqlite3.connect(path) as file:
            file.execute("CREATE TABLE gpu_info (uuid TEXT PRIMARY KEY, name TEXT, serial TEXT, vbios TEXT, driver TEXT,"
                         " minor INTEGER, pciegen INTEGER, pciewidth INTEGER, plimit INTEGER)")
            file.execute("INSERT INTO gpu_info VALUES (?, 'NVIDIA A100', 'S1', NULL, '535.1', 0, 4, 16, 400)", (GPU,))
            file.execute(f'CREATE TABLE "{GPU}" (timestamp TEXT PRIMARY KEY, power_watts REAL, temperature_celsius REAL,'
                         " memory_used_mib REAL, health_status TEXT, health_status_numeric INTEGER)")
            file.executemany(f'INSERT INTO "{GPU}" VALUES (?, ?, ?, ?, ?, ?)', self.ROWS)
            file.execute(f'INSERT INTO "{GPU}"(timestamp) VALUES (\'no time\')')
        file.close()
        return str(path)

    def test_the_earlier_loggers_rows(self):
        data = ("--data-dir", str(self.folder / "data"))
        (self.folder / "data").mkdir()
        said = history("import", *data, self.logger())
        self.assertIn("3 rows of 1 GPUs imported", said)
        self.assertIn("1 have no time", said)
        got = self.export("out")[GPU]
        self.assertEqual([(row["timestamp"], row["power_watts"], row["temperature_celsius"], row["memory_used_mib"],
                           row["health_status"]) for row in got],
                         [("2026-11-22T09:25:36.144906+00:00", "110.293", "46", "3374", "healthy"),
                          ("2026-11-22T09:26:37.126716+00:00", "102.339", "", "3326", "warning"),
                          ("2026-11-22T10:26:37.000000+00:00", "90", "41.5", "3000", "unknown")])
        again = history("import", *data, self.logger2())
        self.assertIn("0 rows of 1 GPUs imported", again)
        self.assertEqual(self.export("again")[GPU], got)
        with sqlite3.connect(f"file:{self.folder}/data/gpuscope.db?mode=ro", uri=True) as file:
            self.assertEqual(file.execute("SELECT name, driver, plimit FROM gpu_info").fetchall(),
                             [("NVIDIA A100", "535.1", 400)])
        file.close()

    def logger2(self):
        return str(self.folder / "gpu_monitor.db")

    def test_times_of_a_clock_that_was_not_utcs(self):
        (self.folder / "data").mkdir()
        history("import", "--data-dir", str(self.folder / "data"), "--ahead-of-utc", "2h", self.logger())
        self.assertEqual(self.export("out")[GPU][0]["timestamp"], "2026-11-22T07:25:36.144906+00:00")

    def test_an_agent_goes_on_behind_them(self):
        (self.folder / "data").mkdir()
        history("import", "--data-dir", str(self.folder / "data"), self.logger())
        with self.agent(*SIM) as agent:
            later_tick(agent)
            busy = harness.run("history", "import", "--data-dir", str(self.folder / "data"), self.logger2())
            self.assertEqual(busy.returncode, 1)
            self.assertIn("stop the agent", busy.stderr)
            old = get_range(agent, metric="power_watts", gpu=GPU, start="2026-11-22T09:25:00Z",
                            end="2026-11-22T09:26:00Z", points=1).json
            self.assertEqual(old["series"][0]["max"], [110.293])
            agent.stop()
        self.assertGreater(len(self.export("out")[GPU]), 3)


class EarlierAgent(http.server.ThreadingHTTPServer):
    """Answers as the earlier agents do: floats as they come, times without a zone."""

    def __init__(self, port=0):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                path, _, query = self.path.partition("?")
                self.server.queries.add(query)
                self.server.asked += 1
                document = {"/gpu/list": {"gpus": [{"uuid": GPU, "name": "NVIDIA A100", "serial": None, "vbios": "1",
                                                    "driver": "535.1", "minor": 0, "pciegen": 4, "pciewidth": 16,
                                                    "plimit": 400}]},
                            "/gpu/metrics/json": {"timestamp": "2026-11-22T09:24:42.736284", "gpus": [
                                {"gpu_index": "0", "uuid": GPU, "name": "NVIDIA A100", "metrics": {
                                    "power_watts": 89.00284512279467, "memory_used_mib": 2656.1366155556425,
                                    "health_status": "caution", "health_status_numeric": 1}}]}}.get(path)
                body = json.dumps(document or {"detail": "Not Found"}).encode()
                self.send_response(200 if document else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", port), Handler)
        self.queries, self.asked = set(), 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *arguments):
        self.shutdown()
        super().__exit__(*arguments)


class Records(Folder):
    def record(self, place, *arguments):
        """A running `history record`; ended by end()."""
        process = subprocess.Popen([harness.PROGRAM, "history", "record", place, "--data-dir",
                                    str(self.folder / "recorded"), "--interval", "100ms", *arguments],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env=harness.clean_environment(self.folder))
        self.addCleanup(process.kill)
        line = process.stdout.readline()
        self.assertRegex(line, r"^records \d+ GPUs of ", process.stderr.read() if not line else "")
        return process

    def end(self, process):
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=harness.PATIENCE_SECONDS)
        self.assertEqual(process.returncode, 0, err)
        return int(re.search(r"(\d+) ticks recorded", out).group(1))

    def test_what_another_agent_reads(self):
        with self.agent(*SIM) as agent:
            process = self.record(f"127.0.0.1:{agent.port}", "--method", "sim")
            later_tick(agent, 15)
            ticks = self.end(process)
            agent.stop()
        here = self.export("here", data="recorded")[GPU]
        there = {row["timestamp"]: row for row in self.export("there")[GPU]}
        self.assertEqual(len(here), ticks)
        self.assertGreater(ticks, 1)
        for row in here:
            self.assertEqual(row, there[row["timestamp"]])

    def test_what_an_earlier_agent_reads(self):
        with EarlierAgent() as server:
            process = self.record(f"127.0.0.1:{server.server_port}", "--method", "nvml")
            harness.wait_for(lambda: server.asked >= 6, "some questions")
            self.end(process)
            self.assertEqual(server.queries, {"method=nvml"})
        rows = self.export("out", data="recorded")[GPU]
        self.assertGreaterEqual(len(rows), 3)
        for row in rows:
            self.assertNotIn("09:24:42.736284", row["timestamp"])
            self.assertEqual((row["power_watts"], row["memory_used_mib"], row["temperature_celsius"],
                              row["health_status"]), ("89.003", "2656", "", "caution"))
        info = history("info", "--data-dir", str(self.folder / "recorded"))
        self.assertIn("NVIDIA A100", info)
        self.assertNotIn("SIMULATED", info)

    def test_goes_on_when_the_agent_comes_back(self):
        with EarlierAgent() as server:
            place = f"127.0.0.1:{server.server_port}"
            process = self.record(place)
        self.assertIn("tried again", process.stderr.readline())
        with EarlierAgent(server.server_port) as server:
            self.assertIn("reads again", process.stderr.readline())
            harness.wait_for(lambda: server.asked >= 2, "another question")
            self.assertGreaterEqual(self.end(process), 2)


if __name__ == "__main__":
    unittest.main()
