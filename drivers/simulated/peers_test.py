#!/usr/bin/env python3
"""Programs that nobody here wrote, on the simulated driver: pynvml, gpustat, nvtop.

usage: peers_test.py FOLDER_OF_THE_LIBRARY

Each is looked for as installed, and under $GPUSCOPE_PEERS_DIR as packages unpacked there
(dpkg -x PACKAGE.deb $GPUSCOPE_PEERS_DIR). What is not there is skipped, and says so; with none of
them the exit status is 77.
"""

import json
import os
import shutil
import subprocess
import sys
import time
import unittest

LIBRARY = sys.argv.pop(1) if len(sys.argv) > 1 else "."
PEERS = os.environ.get("GPUSCOPE_PEERS_DIR", "")
NAMES = ["SIM-RTX4090", "SIM-RTX3080", "SIM-GTX1060"]
SECONDS = 30  # until a program that hangs is given up


def environment(**more):
    unpacked = os.path.join(PEERS, "usr/lib/python3/dist-packages") if PEERS else ""
    path = os.environ.get("PYTHONPATH", "")
    return {
        **os.environ,
        "LD_LIBRARY_PATH": os.path.abspath(LIBRARY),
        "PYTHONPATH": os.pathsep.join(p for p in (unpacked, path) if p),
        "TERM": "xterm-256color",
        **more,
    }


def run(command, **more):
    return subprocess.run(
        command,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def find_program(name):
    unpacked = os.path.join(PEERS, "usr/bin", name)
    return unpacked if PEERS and os.access(unpacked, os.X_OK) else shutil.which(name)


def find_python(module):
    """A Python that has the module: the system's first, since packages are for that one."""
    for python in ("/usr/bin/python3", sys.executable):
        if os.path.exists(python) and run([python, "-c", f"import {module}"]).returncode == 0:
            return python
    return None


class Pynvml(unittest.TestCase):
    def setUp(self):
        self.python = find_python("pynvml")
        if not self.python:
            self.skipTest("no Python here has pynvml (Debian: python3-pynvml)")

    def lines(self, program, **more):
        done = run([self.python, "-c", "import pynvml as n\n" + program], **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.splitlines()

    def test_names(self):
        program = (
            "n.nvmlInit()\n"
            "for i in range(n.nvmlDeviceGetCount()):\n"
            "    name = n.nvmlDeviceGetName(n.nvmlDeviceGetHandleByIndex(i))\n"
            "    print(name.decode() if isinstance(name, bytes) else name)\n"
        )
        self.assertEqual(self.lines(program), NAMES)

    def test_fields_and_processes(self):
        program = (
            "n.nvmlInit()\n"
            "h = n.nvmlDeviceGetHandleByIndex(0)\n"
            "v = n.nvmlDeviceGetFieldValues(h, [n.NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION])[0]\n"
            "print(v.nvmlReturn, v.value.ullVal > 0)\n"
            "print(all(p.pid > 0 for p in n.nvmlDeviceGetComputeRunningProcesses(h)))\n"
        )
        self.assertEqual(self.lines(program), ["0 True", "True"])

    def test_lost_gpu(self):
        program = (
            "n.nvmlInit()\n"
            "try:\n    n.nvmlDeviceGetHandleByIndex(1)\n"
            "except n.NVMLError as error:\n    print(error.value)\n"
        )
        self.assertEqual(self.lines(program, GPUSCOPE_SIM_FAULTS="1:*=lost"), ["15"])

    def test_version_mismatch(self):
        program = "try:\n    n.nvmlInit()\nexcept n.NVMLError as error:\n    print(error.value)\n"
        self.assertEqual(self.lines(program, GPUSCOPE_SIM_FAULTS="init=mismatch"), ["18"])


class Gpustat(unittest.TestCase):
    def setUp(self):
        self.python = find_python("gpustat")
        if not self.python:
            self.skipTest("no Python here has gpustat (Debian: gpustat)")

    def test_json(self):
        done = run([self.python, "-m", "gpustat", "--json"])
        self.assertEqual(done.returncode, 0, done.stderr)
        gpus = json.loads(done.stdout)["gpus"]
        self.assertEqual([gpu["name"] for gpu in gpus], NAMES)
        self.assertEqual([gpu["memory.total"] for gpu in gpus], [24000, 16000, 8000])
        self.assertEqual([gpu["enforced.power.limit"] for gpu in gpus], [350, 250, 150])


class Nvtop(unittest.TestCase):
    def setUp(self):
        self.nvtop = find_program("nvtop")
        self.tmux = shutil.which("tmux")
        if not self.nvtop or not self.tmux:
            self.skipTest("nvtop and tmux are not both here (Debian: nvtop in contrib, tmux)")
        self.socket = f"gpuscope-peers-{os.getpid()}"

    def on_terminal(self, *arguments):
        return run([self.tmux, "-f", os.devnull, "-L", self.socket, *arguments]).stdout

    def test_screen(self):
        # The first command starts tmux's server, whose environment nvtop then has.
        self.on_terminal("new-session", "-d", "-x", "140", "-y", "45", self.nvtop)
        self.addCleanup(self.on_terminal, "kill-server")
        end = time.monotonic() + SECONDS
        screen = ""
        while time.monotonic() < end and "/ 350 W" not in screen:
            time.sleep(0.2)
            screen = self.on_terminal("capture-pane", "-p")
        for text in [*NAMES, "PCIe GEN 4@16x", "/ 350 W"]:
            self.assertIn(text, screen)


if __name__ == "__main__":
    ran = unittest.main(verbosity=2, exit=False).result
    if ran.wasSuccessful() and len(ran.skipped) == ran.testsRun:
        sys.exit(77)
    sys.exit(not ran.wasSuccessful())
