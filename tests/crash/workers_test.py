"""Eight workers and a server, of which some are killed at random points, until the experiment ends well.

GRADELINE_TEST_SEED repeats a run; GRADELINE_KILLS says how many kills there are (20 without it).
"""

import collections
import os
import random
import subprocess
import sys
import tempfile
import time
import unittest
from typing import List, Tuple

from gradeline import wire
from history import Bits, Watching, complete_seals
from server import BIN, Server

RANKS, EPOCHS, STEPS = 8, 5, 12
SEED = int(os.environ.get("GRADELINE_TEST_SEED", random.SystemRandom().randrange(2**32)))
KILLS = int(os.environ.get("GRADELINE_KILLS", "20"))


class Workers:
    """The processes of one attempt."""

    def __init__(self, address: str, experiment: str, token: str) -> None:
        self._log = tempfile.TemporaryFile()
        command = [str(BIN / "crash_worker"), address, experiment, token]
        self.processes = [
            subprocess.Popen(
                command + [str(rank), str(RANKS), str(EPOCHS), str(STEPS)], stdout=self._log, stderr=self._log
            )
            for rank in range(RANKS)
        ]

    def wait(self, seconds: float) -> bool:
        """Whether all end within the time."""
        until = time.monotonic() + seconds
        try:
            for process in self.processes:
                process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            return False
        return True

    def said(self) -> str:
        self._log.seek(0)
        return self._log.read().decode()

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        self._log.close()


class WorkersTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        print(f"seed {SEED}: repeat with GRADELINE_TEST_SEED={SEED}", file=sys.stderr)
        cls.server = Server(leases_suspect_ms="400", leases_gone_ms="1500", leases_progress_ms="8000")
        cls.addClassCleanup(cls.server.close)

    def start(self) -> Tuple[str, Workers]:
        name, token = self.server.experiment(world_size=RANKS, epochs=EPOCHS, metrics=["accuracy"])
        return name, Workers(self.server.address, name, token)

    def test_whatever_is_killed_the_seals_are_those_of_an_undisturbed_run(self) -> None:
        name, workers = self.start()
        try:
            self.assertTrue(workers.wait(60), workers.said())
        finally:
            workers.end()
        undisturbed = complete_seals(self.server.client, name)
        self.assertEqual(len(undisturbed), 2 * EPOCHS)
        choose = random.Random(SEED)
        killed: collections.Counter = collections.Counter()
        while sum(killed.values()) < KILLS:
            self.disturbed(choose, killed, undisturbed)
        print(f"killed {dict(killed)}", file=sys.stderr)

    def disturbed(self, choose: random.Random, killed: collections.Counter, undisturbed: Bits) -> None:
        """One experiment, killed again and again while kills are left, then left alone."""
        name, workers = self.start()
        watching = Watching(self.server.client, name)
        watching.start()
        attempts = 1
        try:
            while not workers.wait(choose.random() * 0.6 if sum(killed.values()) < KILLS else 60):
                self.assertLess(sum(killed.values()), KILLS, f"nothing was killed any more: {workers.said()}")
                what = choose.choice(["server", "server, drained", "worker", "both"])
                killed[what] += 1
                if what in ("worker", "both"):
                    choose.choice(workers.processes).kill()
                if what == "server, drained":
                    self.server.terminate()
                    self.assertEqual(self.server.ended(20), 0)
                elif what != "worker":
                    self.server.kill()
                if what != "worker":
                    self.server.start(self.server.address)
                if what in ("worker", "both") and not self.ended_well(name, workers, patient=choose.random() < 0.3):
                    workers.end()
                    token = self.server.client.call("ResumeExperiment", name=name).attempt_token
                    attempts += 1
                    workers = Workers(self.server.address, name, token)
            self.assertEqual(self.state(name), "SUCCEEDED", workers.said())
        finally:
            workers.end()
            watching.stopping.set()
            watching.join(20)
        self.assertEqual(complete_seals(self.server.client, name), undisturbed)
        self.check_attempts(name, attempts, undisturbed)
        self.assertEqual((watching.problems, watching.revision), ([], self.server.client.experiment(name).revision))

    def ended_well(self, name: str, workers: Workers, patient: bool) -> bool:
        """A rank was killed: waits until the lease has ended its attempt, or ends it as a person would. True if it had
        succeeded before."""
        deadline = time.monotonic() + 60
        while self.state(name) in ("QUEUED", "RUNNING"):
            if not patient:
                try:
                    self.server.client.call("CancelExperiment", name=name)
                except Exception as error:
                    if getattr(error, "code", "") != "FAILED_PRECONDITION":
                        raise
            self.assertLess(time.monotonic(), deadline, f"still {self.state(name)}: {workers.said()}")
            time.sleep(0.05)
        return self.state(name) == "SUCCEEDED"

    def state(self, name: str) -> str:
        return wire.word(wire.STATES, self.server.client.experiment(name).state)

    def check_attempts(self, name: str, count: int, undisturbed: Bits) -> None:
        """What earlier attempts sealed complete has the same bits too, and each ended in a true state."""
        attempts: List = list(self.server.client.pages("ListAttempts", "attempts", parent=name))
        self.assertEqual(len(attempts), count)
        for attempt in attempts:
            state = wire.word(wire.STATES, attempt.state)
            good = ("SUCCEEDED",) if attempt.attempt == count else ("LOST", "CANCELLED", "FAILED")
            self.assertIn(state, good)
            for key, bits in complete_seals(self.server.client, name, attempt.attempt).items():
                self.assertEqual(bits, undisturbed[key])


if __name__ == "__main__":
    unittest.main()
