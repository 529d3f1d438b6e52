"""What the end-to-end tests stand on: the real programs, started, asked and stopped.

CTest says by environment variables where things are:
  GPUSCOPE_PROGRAM     the program under test
  GPUSCOPE_DRIVER_DIR  the folder of the simulated libnvidia-ml.so.1
  UPDATE_GOLDEN        set to 1: golden files are written, not compared
"""

import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = os.environ.get("GPUSCOPE_PROGRAM") or sys.exit("set GPUSCOPE_PROGRAM, or run these through ctest")
DRIVER_DIR = os.environ.get("GPUSCOPE_DRIVER_DIR", "")
SOURCE = pathlib.Path(__file__).resolve().parents[2]

# An instant at which simulated machines stand still, so that what is read of them is always equal.
FROZEN = "2026-05-01T12:00:00Z"
# How long anything may take before a test gives up; sanitized programs on a busy machine are slow.
PATIENCE_SECONDS = 60


def clean_environment(home, extra=None):
    """The caller's environment without settings of ours, at home in a folder of the test."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("GPUSCOPE_", "XDG_"))}
    env["HOME"] = str(home)
    env["XDG_STATE_HOME"] = str(pathlib.Path(home) / "state")
    env.update(extra or {})
    return env


def wait_for(condition, what, patience=PATIENCE_SECONDS):
    """Asks `condition` until it gives something true, and returns that."""
    end = time.monotonic() + patience
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience} s in vain for {what}")
        time.sleep(0.05)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)


def ask(port, path, method="GET", headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    try:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()


class Agent:
    """A running `gpuscope agent` on a free port; ended, whatever happens, when its block ends."""

    def __init__(self, *arguments, env=None, data_dir=None):
        self.home = tempfile.mkdtemp(prefix="gpuscope-e2e-")
        self.data_dir = data_dir or os.path.join(self.home, "data")
        self.log_path = os.path.join(self.home, "log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "agent", "--listen", "127.0.0.1:0", "--data-dir", self.data_dir, *arguments],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                env=clean_environment(self.home, env))
        # It says where it serves as soon as it does.
        line = self.process.stdout.readline().decode()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
        if not found:
            self.stop()
            raise AssertionError(f"the agent did not start; it said {line!r} and logged {self.log}")
        self.port = int(found.group(1))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def log(self):
        return pathlib.Path(self.log_path).read_text()

    def get(self, path, **more):
        return ask(self.port, path, **more)

    def health(self):
        return self.get("/health").json

    def stop(self, with_signal=signal.SIGTERM):
        """Ends it and returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
            try:
                self.process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"the agent did not end; it logged {self.log}") from None
        self.process.stdout.close()
        return self.process.returncode


def make_certificates(folder):
    """A certificate authority, and localhost's certificate by it."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=gpuscope test CA")
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    pathlib.Path(folder, "extensions").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", "server.pem", "-days", "2", "-extfile", "extensions")


def run(*arguments, env=None):
    """Runs the program to its end."""
    with tempfile.TemporaryDirectory(prefix="gpuscope-e2e-") as home:
        return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=PATIENCE_SECONDS,
                              env=clean_environment(home, env))


MASKED_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}\+00:00")


class GoldenTest(unittest.TestCase):
    """Compares texts with files in tests/golden; UPDATE_GOLDEN=1 writes them."""

    maxDiff = None

    def assert_golden(self, name, text):
        text = MASKED_TIME.sub("<time>", text)
        path = SOURCE / "tests" / "golden" / name
        if os.environ.get("UPDATE_GOLDEN") == "1":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            return
        self.assertTrue(path.exists(), f"{path} is missing: run with UPDATE_GOLDEN=1")
        self.assertEqual(path.read_text(), text, f"differs from {path}")
