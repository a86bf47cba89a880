"""A server that is told to stop, under load, and started again: no client of ours sees an error, nothing is lost."""

import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from typing import Callable, List, Tuple

import numpy as np

import gradeline
from gradeline import wire
from gradeline.stream import Stream
from gradeline.tensors import to_wire
from history import Watching, complete_seals
from server import BIN, Server, until

RANKS, EPOCHS, STEPS = 3, 2, 120
LONGEST = 10.0  # seconds that a drain may take


class Ranks:
    """The processes of an experiment's ranks."""

    def __init__(self, address: str, experiment: str, token: str) -> None:
        self._errors = tempfile.TemporaryFile()
        script = pathlib.Path(__file__).with_name("drain_rank.py")
        shared = {"GRADELINE_SERVER": address, "GRADELINE_EXPERIMENT": experiment, "GRADELINE_TOKEN": token}
        shared["WORLD_SIZE"] = str(RANKS)
        self._processes = [
            subprocess.Popen(
                [sys.executable, script, str(EPOCHS), str(STEPS)],
                env={**os.environ, **shared, "RANK": str(rank)},
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
            )
            for rank in range(RANKS)
        ]

    def await_middle(self, phase: str, rank: int) -> bool:
        """Returns when a rank is in the middle of a phase, with batches under way; false if it never is."""
        return any(line == f"{phase}\n" for line in self._processes[rank].stdout)

    def end(self) -> Tuple[List[int], List[str], str]:
        """Exit codes, digests of the answers, and what was said of errors."""
        said = [process.communicate(timeout=60)[0].split() for process in self._processes]
        self._errors.seek(0)
        errors = self._errors.read().decode()
        return [process.returncode for process in self._processes], [words[-1] for words in said if words], errors

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
            process.stdout.close()
        self._errors.close()


class Caller(threading.Thread):
    """Makes a call over and over, with a client of its own and its defaults, until told to stop or it fails."""

    def __init__(self, address: str, call: Callable[[gradeline.Client, int], object]) -> None:
        super().__init__(daemon=True)
        self._client, self._call = gradeline.connect(address), call
        self.calls, self.error = 0, None
        self.stopping = threading.Event()

    def run(self) -> None:
        try:
            while not self.stopping.is_set():
                self._call(self._client, self.calls)
                self.calls += 1
        except Exception as error:
            self.error = error
        self._client.close()


class DrainTest(unittest.TestCase):
    def setUp(self) -> None:
        self.server = Server()
        self.addCleanup(self.server.close)

    def test_readiness_goes_off_at_once_and_a_client_that_takes_nothing_is_not_waited_for(self) -> None:
        name, token = self.server.experiment()
        hello = {"experiment": name, "attempt_token": token, "world_size": 1, "instance": b"i" * 16}
        stream = Stream(self.server.address, wire.TrainRequest(hello=hello))
        self.addCleanup(stream.close)
        key = {"phase": wire.PHASES["TRAIN"], "head": "classification"}
        request = wire.TrainRequest(batch={"seq": 1, "key": key, "gradient": True})
        large = {"prediction": np.zeros((2_000_000, 3), np.float32), "target": np.zeros(2_000_000, np.int64)}
        request.batch.inputs.extend(to_wire(tensor, array) for tensor, array in large.items())
        stream.send(request)
        until(lambda: "gradeline_loss_evaluations_total{" in self.server.get("/metrics")[1], 30)
        self.assertEqual(self.server.get("/readyz")[0], 200)
        began = time.monotonic()
        self.server.terminate()
        until(lambda: self.server.get("/readyz")[0] == 503, 1)
        self.assertEqual(self.server.get("/healthz")[0], 200)
        self.assertEqual(self.server.ended(30), 0)
        self.assertLess(time.monotonic() - began, LONGEST)
        self.server.start(self.server.address)

    def ranks(self) -> Tuple[str, Ranks]:
        name, token = self.server.experiment(world_size=RANKS, epochs=EPOCHS, metrics=["accuracy"])
        ranks = Ranks(self.server.address, name, token)
        self.addCleanup(ranks.close)
        return name, ranks

    def callers(self, name: str) -> List[Caller]:
        """Reads, a loss that is computed, and a write, which each must happen once."""
        experiment = self.server.client.experiment(name)
        split = self.server.client.call("GetSplit", name=experiment.split)
        batch = {"prediction": np.zeros((50, 3), np.float32), "target": np.zeros(50, np.int64)}

        def write(client: gradeline.Client, number: int) -> None:
            split.name = f"splits/written-{number}"
            client.call("CreateSplit", split=split)

        calls = [
            lambda client, _: client.experiment(name),
            lambda client, _: client.epochs(name),
            lambda client, _: client.evaluate_loss("cross_entropy", batch),
            write,
        ]
        return [Caller(self.server.address, call) for call in calls]

    def restart(self) -> float:
        """Seconds that the drain took."""
        began = time.monotonic()
        self.server.terminate()
        code = self.server.ended(30)
        drained = time.monotonic() - began
        self.assertEqual(code, 0)
        self.server.start(self.server.address)
        return drained

    def test_a_restart_under_load_costs_nobody_anything(self) -> None:
        name, ranks = self.ranks()
        codes, undisturbed_answers, errors = ranks.end()
        self.assertEqual(codes, [0] * RANKS, errors)
        undisturbed = complete_seals(self.server.client, name)
        self.assertEqual(len(undisturbed), 2 * EPOCHS)

        name, ranks = self.ranks()
        watching = Watching(self.server.client, name)
        callers = self.callers(name)
        for thread in [watching, *callers]:
            thread.start()
        drains = []
        for number in range(2 * EPOCHS):
            phase = f"{('train', 'validation')[number % 2]} {number // 2}"
            self.assertTrue(ranks.await_middle(phase, number % RANKS), phase)
            drains.append(self.restart())
        codes, answers, errors = ranks.end()
        for thread in [watching, *callers]:
            thread.stopping.set()
            thread.join(30)
        print("drains took", [f"{seconds:.2f} s" for seconds in drains], [c.calls for c in callers], file=sys.stderr)

        self.assertEqual(codes, [0] * RANKS, errors)
        self.assertEqual([caller.error for caller in callers], [None] * len(callers))
        self.assertLess(max(drains), LONGEST)
        self.assertEqual(wire.word(wire.STATES, self.server.client.experiment(name).state), "SUCCEEDED")
        self.assertEqual(complete_seals(self.server.client, name), undisturbed)
        self.assertEqual(answers, undisturbed_answers)
        self.assertEqual((watching.problems, watching.revision), ([], self.server.client.experiment(name).revision))
        written = [split for split in self.server.client.pages("ListSplits", "splits") if "/written-" in split.name]
        self.assertEqual(len(written), callers[-1].calls)
        subprocess.run([str(BIN / "gradeline"), "--server", self.server.address, "db", "check"], check=True)

    def test_a_watch_outlives_every_restart(self) -> None:
        name, _ = self.server.experiment()
        watchers = [Watching(gradeline.connect(self.server.address), name) for _ in range(40)]
        for watcher in watchers:
            watcher.start()
        moments = random.Random(11)
        for _ in range(20):
            watchers[0].stopping.wait(moments.random() * 0.4)
            self.restart()
        for watcher in watchers:
            watcher.stopping.set()
        newest = self.server.client.call("CancelExperiment", name=name).revision
        deadline = time.monotonic() + 20
        for watcher in watchers:
            watcher.join(max(0.0, deadline - time.monotonic()))
        self.assertEqual([watcher.revision for watcher in watchers], [newest] * len(watchers))


if __name__ == "__main__":
    unittest.main()
