"""The real gradeline binary and a gradelined of its own for a test: free ports, temporary folder, ended with the test."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import time
import unittest

BIN = pathlib.Path(os.environ["GRADELINE_BIN"])
SOURCE = pathlib.Path(os.environ["GRADELINE_SOURCE"])


class Run:
    """What a finished command left: code, out, err."""

    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"exit {self.code}\n--- stdout\n{self.out}--- stderr\n{self.err}"


def gradeline(*words, server=None, stdin="", environment=None, timeout=120):
    """Runs the command line; `server` goes through the environment."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("GRADELINE_S")}
    if server is not None:
        env["GRADELINE_SERVER"] = server
    env.update(environment or {})
    return Run(
        subprocess.run([str(BIN / "gradeline"), *map(str, words)], input=stdin, capture_output=True, text=True, env=env, timeout=timeout)
    )


class Case(unittest.TestCase):
    maxDiff = None

    def assertRun(self, run, code=0, err=None, out=None):
        self.assertEqual(run.code, code, run)
        for text in [err] if isinstance(err, str) else err or []:
            self.assertIn(text, run.err)
        if out is not None:
            self.assertIn(out, run.out)
        return run


class Server:
    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name)
        settings = {"grpc.listen": "127.0.0.1:0", "http.listen": "127.0.0.1:0", "store.path": self.path / "gradeline.db"}
        command = [str(BIN / "gradelined")]
        for key, value in settings.items():
            command += ["--set", f"{key}={value}"]
        with open(self.path / "log", "w") as log:
            self.process = subprocess.Popen(command, cwd=self.path, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while True:
            found = re.search(r"listening grpc=([^ \"]+)", (self.path / "log").read_text())
            if found:
                self.address = found[1]
                return
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the server did not start:\n" + (self.path / "log").read_text())
            time.sleep(0.02)  # until it listens

    def __call__(self, *words, **options):
        """Runs the command line on this server."""
        return gradeline(*words, server=self.address, **options)

    def close(self):
        self.process.terminate()
        self.process.wait(20)
        self.folder.cleanup()
