"""The demo with its real PyTorch ranks, killed at random points: the server, a rank, or both. It ends well, and with the
bits of a run that nobody disturbed.

GRADELINE_TEST_SEED repeats a run, GRADELINE_RUNS makes more of them.
"""

import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from blocks import make_images
from server import BIN, Server

EPOCHS = 4
SEED = int(os.environ.get("GRADELINE_TEST_SEED", random.SystemRandom().randrange(2**32)))
RUNS = int(os.environ.get("GRADELINE_RUNS", "1"))


class Demo:
    """The demo's process, its ranks, and what it says."""

    def __init__(self, server: Server, data: str) -> None:
        command = [sys.executable, "-m", "gradeline.demo", "--server", server.address, "--cli", str(BIN / "gradeline")]
        command += ["--data", data, "--dataset", "blocks", "--batch-size", "5", "--epochs", str(EPOCHS)]
        command += ["--accuracy", "0.5", "--restarts", "9"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._said: list = []
        self._more = threading.Condition()
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        for line in self._process.stderr:
            with self._more:
                self._said.append(line)
                self._more.notify_all()
        with self._more:
            self._said.append("")  # the end
            self._more.notify_all()

    def await_line(self, pattern: str) -> bool:
        """Waits for a line that is said; false if the demo has ended without it."""
        with self._more:
            self._more.wait_for(lambda: self._said[-1:] == [""] or any(re.search(pattern, line) for line in self._said))
            return any(re.search(pattern, line) for line in self._said)

    def said(self) -> str:
        with self._more:
            return "".join(self._said)

    def ranks(self) -> list:
        """The ids of the trainers that run."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    parent = entry.joinpath("stat").read_text().rpartition(")")[2].split()[1]
                    line = entry.joinpath("cmdline").read_bytes()
                except (FileNotFoundError, ProcessLookupError):
                    continue
                if int(parent) == self._process.pid and b"gradeline.demo.trainer" in line:
                    found.append(int(entry.name))
        return found

    def end(self, timeout: float = 200) -> tuple:
        """Exit code, facts and what it said."""
        try:
            out = self._process.stdout.read()
            code = self._process.wait(timeout)
        finally:
            self._process.kill()
            self._process.wait()
            self._listener.join()
            self._process.stdout.close()
            self._process.stderr.close()
        return code, json.loads(out) if out else None, self.said()


class DemoTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        print(f"seed {SEED}: repeat with GRADELINE_TEST_SEED={SEED}", file=sys.stderr)
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        make_images(pathlib.Path(cls.folder.name))
        cls.server = Server()
        cls.addClassCleanup(cls.server.close)
        code, cls.undisturbed, said = Demo(cls.server, cls.folder.name).end()
        assert code == 0, said

    def test_a_demo_that_is_killed_ends_with_the_same_bits(self) -> None:
        for run in range(RUNS):
            with self.subTest(run=run):
                self.check(random.Random(SEED + run))

    def check(self, choose: random.Random) -> None:
        demo = Demo(self.server, self.folder.name)
        try:
            killed = 0
            for epoch in sorted(choose.sample(range(1, EPOCHS), 2)):
                self.assertTrue(demo.await_line(rf"epoch {epoch}/{EPOCHS} train +loss"), demo.said())
                time.sleep(choose.random() * 0.3)  # somewhere in what follows
                what = choose.choice(["server", "rank", "both"])
                if what != "rank":
                    self.server.kill()
                if what != "server":
                    alive = demo.ranks()
                    if alive:
                        os.kill(choose.choice(alive), 9)
                        killed += 1
                if what != "rank":
                    self.server.start(self.server.address)
        finally:
            code, found, said = demo.end()
        self.assertEqual(code, 0, said)
        self.assertEqual((found["state"], found["sealsComplete"]), ("SUCCEEDED", True), said)
        self.assertLessEqual(found["attempts"], killed + 1, said)
        for key in ("lossBits", "trainLoss", "validationLoss", "testLoss", "testAccuracy"):
            self.assertEqual(found[key], self.undisturbed[key], said)


if __name__ == "__main__":
    unittest.main()
