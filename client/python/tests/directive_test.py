"""What a worker makes of the directives that it sees, and of those that can never come."""

import threading
import unittest

import gradeline
from gradeline import wire
from gradeline.client import struct
from peer import Peer

PLATEAU = {"epochs": 4, "scheduler_parameters": struct({"monitor": "validation.loss"})}
STOPPING = {"epochs": 4, "early_stopping": {"monitor": "train.accuracy"}}


class DirectiveTest(unittest.TestCase):
    def setUp(self) -> None:
        self.peer = Peer()
        self.addCleanup(self.peer.close)

    def join(self, training: dict, **options) -> gradeline.Worker:
        self.peer.training = training
        worker = self.peer.join(**options)
        self.addCleanup(worker._close)
        return worker

    def test_the_epoch_before_the_attempt_decides_nothing(self) -> None:
        self.peer.first_epoch = 2
        self.peer.directives = {1: {"learning_rate": 0.5, "momentum": 0.8, "stop": True}, 2: {"learning_rate": 0.25}}
        worker = self.join({"epochs": 4})
        walk = worker.epochs()
        self.assertEqual(next(walk), 2)
        worker.end_phase("validation", 1)
        self.assertEqual((worker.learning_rate, worker.momentum, worker.should_stop), (0.1, None, False))
        worker.end_phase("train", 2)
        self.assertEqual((worker.learning_rate, worker.should_stop), (0.25, False))
        self.assertEqual(list(walk), [3])

    def test_the_attempts_own_epochs_decide(self) -> None:
        self.peer.directives = {0: {"learning_rate": 0.5, "momentum": 0.8}, 1: {"learning_rate": 0.4, "stop": True}}
        worker = self.join({"epochs": 4})
        walk = worker.epochs()
        self.assertEqual(next(walk), 0)
        worker.end_phase("train", 0)
        self.assertEqual((worker.learning_rate, worker.momentum, worker.should_stop), (0.5, 0.8, False))
        self.assertEqual(next(walk), 1)
        worker.end_phase("train", 1)
        self.assertEqual((worker.learning_rate, worker.momentum, worker.should_stop), (0.4, None, True))
        self.assertEqual(list(walk), [])

    def test_what_this_rank_has_not_ended_is_not_waited_for(self) -> None:
        cases = {
            "validation of epoch 0 was not ended, and training.scheduler_parameters.monitor looks at it": (PLATEAU, 0),
            "train of epoch 0 was not ended, and training.early_stopping.monitor looks at it": (STOPPING, 1),
        }
        for text, (training, rank) in cases.items():
            with self.subTest(text):
                worker = self.join(training, rank=rank, world_size=2)
                walk = worker.epochs()
                self.assertEqual(next(walk), 0)
                with self.assertRaises(gradeline.GradelineError) as caught:
                    next(walk)
                self.assertEqual((caught.exception.code, caught.exception.message), ("FAILED_PRECONDITION", text))

    def test_of_phases_that_only_rank_0_reports_others_wait_for_the_seal(self) -> None:
        training = {**PLATEAU, "validation_ranks": wire.PHASE_RANKS["FIRST"]}
        first = self.join(training, rank=0, world_size=2)
        walk = first.epochs()
        self.assertEqual(next(walk), 0)
        with self.assertRaisesRegex(gradeline.GradelineError, "validation of epoch 0 was not ended"):
            next(walk)
        self.peer.others = [wire.message("gradeline.v1.EndPhase")(phase=wire.PHASES["VALIDATION"], epoch=0)]
        self.peer.directives = {0: {"learning_rate": 0.05}}
        second = self.join(training, rank=1, world_size=2)
        walk, went_on, asked = second.epochs(), [], threading.Event()
        self.assertEqual(next(walk), 0)
        wait = second._wait
        second._wait = lambda condition: (asked.set(), wait(condition))
        waiting = threading.Thread(target=lambda: went_on.append(next(walk)))
        waiting.start()
        self.assertTrue(asked.wait(10))
        self.assertEqual(went_on, [])
        self.peer.released.set()
        waiting.join(10)
        self.assertEqual((went_on, second.learning_rate), ([1], 0.05))


if __name__ == "__main__":
    unittest.main()
