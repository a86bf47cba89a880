"""What a worker lives through: silence, lost ranks, resumed attempts, directives, batches that are not finite."""

import logging
import os
import signal
import subprocess
import sys
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

import gradeline
import gradeline.torch
from gradeline import wire
from server import Server

SUSPECT_MS, GONE_MS = 2000, 5000

# A rank that sends one batch and then sleeps; what becomes of it is its parent's affair.
SLEEPER = """
import sys, time, numpy as np, gradeline
worker = gradeline.connect().join()
batch = {"prediction": np.zeros((1, 3), np.float32), "target": np.zeros(1, np.int64)}
worker.batch("train", 0, 17, "classification", batch)
worker.flush()
print("ready", flush=True)
time.sleep(1000)
"""


def setUpModule() -> None:
    global server
    server = Server(leases_suspect_ms=str(SUSPECT_MS), leases_gone_ms=str(GONE_MS), leases_progress_ms="600000")


def tearDownModule() -> None:
    server.close()


def rows(value: float = 0.0, count: int = 2) -> dict:
    return {"prediction": np.full((count, 3), value, np.float32), "target": np.zeros(count, np.int64)}


def end_together(workers: list, epoch: int) -> gradeline.Epoch:
    """Each rank's end of the epoch's training waits for the other's."""
    with ThreadPoolExecutor(len(workers)) as pool:
        return list(pool.map(lambda worker: worker.end_phase("train", epoch), workers))[0]


class Case(unittest.TestCase):
    def state(self, name: str) -> str:
        return wire.word(wire.STATES, server.client.experiment(name).state)

    def join(self, name: str, token: str, rank: int = 0, world_size: int = 1) -> gradeline.Worker:
        worker = server.client.join(name, token, rank, world_size)
        self.addCleanup(worker._close)
        return worker


class LeaseTest(Case):
    def test_a_worker_whose_step_blocks_stays_held(self) -> None:
        name, token = server.experiment(world_size=2)
        worker, other = self.join(name, token, 0, 2), self.join(name, token, 1, 2)
        seen = []
        other._on_ranks = lambda ranks: seen.append(ranks)
        time.sleep(SUSPECT_MS / 1000 + 1)  # the step itself: one that waits, and one that computes
        until = time.monotonic() + GONE_MS / 1000
        while time.monotonic() < until:
            sum(range(1000))
        worker.batch("train", 0, 0, "classification", rows())
        self.assertEqual((self.state(name), seen), ("RUNNING", []))

    def test_the_others_hear_of_a_silent_rank_and_then_that_all_is_lost(self) -> None:
        name, token = server.experiment(world_size=2)
        environment = {
            **os.environ,
            "GRADELINE_SERVER": server.address,
            "GRADELINE_EXPERIMENT": name,
            "GRADELINE_TOKEN": token,
            "RANK": "1",
            "WORLD_SIZE": "2",
        }
        sleeper = subprocess.Popen([sys.executable, "-c", SLEEPER], env=environment, stdout=subprocess.PIPE)
        try:
            worker = self.join(name, token, 0, 2)
            self.assertEqual(sleeper.stdout.readline(), b"ready\n")
            began = time.monotonic()
            sleeper.send_signal(signal.SIGSTOP)
            with self.assertLogs("gradeline", logging.WARNING) as logs, self.assertRaises(gradeline.Stopped) as stopped:
                worker.end_phase("train", 0)
            waited = time.monotonic() - began
        finally:
            sleeper.kill()
            sleeper.wait()
            sleeper.stdout.close()
        self.assertLess(waited, GONE_MS / 1000 + 2)
        self.assertRegex(logs.output[0], r"rank 0: waiting for rank 1, silent for \d+ s, last at step 17 of train epoch 0")
        self.assertEqual(stopped.exception.state, "LOST")
        self.assertIn("rank 1 was silent for", stopped.exception.message)
        self.assertEqual(self.state(name), "LOST")


class ResumeTest(Case):
    def test_the_next_attempt_goes_on_and_the_old_worker_is_told(self) -> None:
        name, token = server.experiment(epochs=3)
        old = self.join(name, token)
        with old.phase("train", 0):
            old.batch("train", 0, 0, "classification", rows())
        old.fail("out of memory")
        resumed = server.client.call("ResumeExperiment", name=name)
        worker = self.join(name, resumed.attempt_token)
        self.assertEqual((worker.attempt, worker.first_epoch), (2, 1))
        with self.assertRaises(gradeline.GradelineError) as refused:
            server.client.join(name, token)
        self.assertEqual(refused.exception.reason, "EXPERIMENT_ENDED")
        self.assertEqual(refused.exception.metadata["state"], "FAILED")
        trained = []
        for epoch in worker.epochs():
            trained.append(epoch)
            with worker.phase("train", epoch):
                worker.batch("train", epoch, 0, "classification", rows())
        worker.finish()
        self.assertEqual(trained, [1, 2])
        self.assertEqual(self.state(name), "SUCCEEDED")
        attempts = list(server.client.pages("ListAttempts", "attempts", parent=name))
        words = [(wire.word(wire.STATES, attempt.state), attempt.first_epoch) for attempt in attempts]
        self.assertEqual(words, [("FAILED", 0), ("SUCCEEDED", 1)])


class DirectiveTest(Case):
    def test_ranks_stop_when_the_measure_no_longer_improves(self) -> None:
        stopping = {"monitor": "validation.loss", "patience": 2}
        first_only = wire._enum("PhaseRanks", "PHASE_RANKS_")["FIRST"]
        name, token = server.experiment(
            epochs=9, world_size=2, early_stopping=stopping, validation_ranks=first_only, learning_rate=0.25
        )
        workers = [self.join(name, token, rank, 2) for rank in range(2)]
        walks = [worker.epochs() for worker in workers]
        trained = 0
        for value in (0.0, 1.0, 0.0, 0.0):  # the loss falls with the logit of class 0
            self.assertEqual([next(walk) for walk in walks], [trained, trained])
            inputs = rows(0)
            inputs["prediction"][:, 0] = value
            for worker in workers:
                worker.submit("train", trained, 0, "classification", rows()).result()
            sealed = end_together(workers, trained)
            self.assertEqual(sealed.directive.learning_rate, 0.25)
            with workers[0].phase("validation", trained):
                workers[0].batch("validation", trained, 0, "classification", inputs, gradient=False)
            trained += 1
        self.assertEqual([list(walk) for walk in walks], [[], []])
        for worker in workers:
            self.assertTrue(worker.should_stop)
            worker.finish()
        self.assertEqual(self.state(name), "EARLY_STOPPED")
        last = server.client.epochs(name)[-1]
        self.assertEqual((last.directive.best_epoch, last.directive.stale_epochs, last.directive.stop), (1, 2, True))


class NonFiniteTest(Case):
    def run_with(self, policy: str) -> tuple:
        name, token = server.experiment(epochs=1, non_finite=wire.NON_FINITE[policy])
        worker = self.join(name, token)
        loss = gradeline.torch.Loss(worker)
        good = torch.zeros(2, 3, requires_grad=True)
        bad = torch.tensor([[0.0, 0, 0], [0, float("nan"), 0]], requires_grad=True)
        target = torch.zeros(2, dtype=torch.int64)
        error = None
        with worker.phase("train", 0) as train:
            loss(good, target).backward()
            try:
                value = loss(bad, target)
                value.backward()
                self.assertEqual((value.item(), loss.last_result.empty), (0.0, True))
                self.assertTrue(torch.equal(bad.grad, torch.zeros(2, 3)))
            except gradeline.Refused as refused:
                error = refused
            loss(good, target).backward()
        worker.finish()
        return error, train.sealed

    def test_refuse_raises_and_skip_goes_on_and_both_say_where_it_was(self) -> None:
        for policy in ("REFUSE", "SKIP"):
            with self.subTest(policy=policy):
                error, sealed = self.run_with(policy)
                self.assertEqual(error is not None, policy == "REFUSE")
                self.assertEqual((sealed.batches, sealed.refused, sealed.complete), (2, {3: 1}, True))
                first = sealed.first_refused
                self.assertEqual((first.rank, first.step, first.head), (0, 1, "classification"))
                self.assertEqual((first.reason, first.component, first.item), ("NOT_FINITE", "prediction", 1))

    def test_another_bad_value_is_refused_under_either_policy(self) -> None:
        name, token = server.experiment(epochs=1, non_finite=wire.NON_FINITE["SKIP"])
        loss = gradeline.torch.Loss(self.join(name, token))
        with self.assertRaises(gradeline.Refused), loss._worker.phase("train", 0):
            loss(torch.zeros(1, 3), torch.tensor([7]))


if __name__ == "__main__":
    unittest.main()
