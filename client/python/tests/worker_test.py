"""The worker against a peer that loses connections, refuses batches and stops."""

import os
import threading
import time
import unittest
from concurrent.futures import Future
from unittest import mock

import numpy as np

import gradeline
import gradeline.link
from peer import Peer, abort


def inputs(value: float = 1.0) -> dict:
    return {"prediction": np.full((2, 3), value, np.float32)}


class WorkerTest(unittest.TestCase):
    def setUp(self) -> None:
        self.peer = Peer()
        self.addCleanup(self.peer.close)

    def join(self, **options) -> gradeline.Worker:
        worker = self.peer.join(**options)
        self.addCleanup(worker._close)
        return worker

    def batch(self, worker: gradeline.Worker, step: int, **options) -> gradeline.Result:
        return worker.batch("train", 0, step, "classification", inputs(step + 1), **options)

    def test_answers_with_loss_and_gradient(self) -> None:
        worker = self.join()
        result = self.batch(worker, 0)
        self.assertEqual(result.loss, 6.0)
        np.testing.assert_array_equal(result.gradients["prediction"], np.ones((2, 3), np.float32))
        self.assertEqual(self.batch(worker, 1, gradient=False).gradients, {})

    def test_a_batch_whose_answer_was_lost_is_sent_again_whole(self) -> None:
        self.peer.lose = {2}
        worker = self.join()
        self.assertEqual([self.batch(worker, step).loss for step in range(3)], [6.0, 12.0, 18.0])
        self.assertEqual(len(self.peer.hellos), 2)
        self.assertEqual(self.peer.hellos[0].instance, self.peer.hellos[1].instance)
        self.assertEqual(worker.end_phase("train", 0).batches, 3)  # found in the books, counted once
        self.assertEqual(self.steps(), [0, 1, 2])
        self.assertEqual([request.batch.seq for request in self.peer.received[:-1]], [1, 2, 3, 4])

    def test_an_answered_record_is_replayed_unchanged(self) -> None:
        self.peer.cut = {2}
        self.peer.hold_commits = True
        worker = self.join()
        for step in range(2):
            self.batch(worker, step)
        self.batch(worker, 2)
        self.assertEqual(self.peer.kinds(), ["batch", "batch", "replay", "replay", "batch"])
        replayed = self.peer.received[3].replay.record
        self.assertEqual((replayed.seq, replayed.digest, replayed.values[0].numerator), (2, b"d" * 16, 12.0))
        worker.flush()
        self.assertEqual(self.steps(), [0, 1, 2])

    def test_batches_in_flight_keep_their_order_over_a_lost_connection(self) -> None:
        self.peer.hold = threading.Event()
        self.peer.cut = {1}
        worker = self.join()
        sent = [worker.submit("train", 0, step, "classification", inputs(step + 1)) for step in range(4)]
        self.peer.hold.set()
        self.assertEqual([future.result(10).loss for future in sent], [6.0, 12.0, 18.0, 24.0])
        self.assertEqual(worker.end_phase("train", 0).batches, 4)
        self.assertEqual(self.steps(), [0, 1, 2, 3])

    def test_a_refused_batch_raises_and_the_stream_lives_on(self) -> None:
        self.peer.refuse = {1: True}
        worker = self.join()
        with self.assertRaises(gradeline.Refused) as caught:
            self.batch(worker, 0)
        error = caught.exception
        self.assertEqual((error.code, error.reason), ("INVALID_ARGUMENT", "BAD_BATCH"))
        self.assertEqual((error.recorded, error.seq), (True, 1))
        self.assertEqual(error.violations, [gradeline.Violation("inputs[0].data", "is NaN")])
        self.assertIn("inputs[0].data: is NaN", str(error))
        self.assertEqual(self.batch(worker, 1).loss, 12.0)
        self.assertEqual(worker.end_phase("train", 0).batches, 2)  # refused records count as reported
        self.assertEqual(len(self.peer.hellos), 1)

    def test_what_follows_a_refusal_without_record_moves_forward(self) -> None:
        self.peer.hold = threading.Event()
        self.peer.refuse = {2: False}
        worker = self.join()
        sent = [worker.submit("train", 0, step, "classification", inputs(step + 1)) for step in range(4)]
        self.peer.hold.set()
        with self.assertRaises(gradeline.Refused) as caught:
            sent[1].result(10)
        self.assertFalse(caught.exception.recorded)
        self.assertEqual([sent[step].result(10).loss for step in (0, 2, 3)], [6.0, 18.0, 24.0])
        self.assertEqual(worker.end_phase("train", 0).batches, 3)
        self.assertEqual(self.steps(), [0, 2, 3])
        self.assertEqual([r.batch.seq for r in self.peer.received[:-1]], [1, 2, 3, 4, 2, 3])

    def test_a_refused_phase_end_raises_and_the_stream_lives_on(self) -> None:
        self.peer.conflicts = {2}
        worker = self.join()
        self.batch(worker, 0)
        with self.assertRaises(gradeline.Refused) as caught:
            self.within(10, worker.end_phase, "train", 0)
        self.assertEqual((caught.exception.reason, caught.exception.seq), ("CONFLICT", 2))
        worker.batch("train", 1, 0, "classification", inputs())
        self.assertEqual(worker.end_phase("train", 1).batches, 1)
        worker.finish()

    def test_a_refused_goodbye_raises(self) -> None:
        self.peer.conflicts = {2}
        worker = self.join()
        self.batch(worker, 0)
        with self.assertRaises(gradeline.Refused):
            self.within(10, worker.finish)
        self.assertEqual(self.batch(worker, 1).loss, 12.0)
        worker.finish()

    def test_a_record_that_is_sent_twice_counts_once(self) -> None:
        worker = self.join()
        for _ in range(2):
            self.batch(worker, 0)
        self.assertEqual(worker.end_phase("train", 0).batches, 1)

    def test_no_more_batches_are_in_flight_than_credits(self) -> None:
        self.peer.hold = threading.Event()
        self.peer.credits = 2
        worker = self.join()
        sent = [worker.submit("train", 0, step, "classification", inputs()) for step in range(2)]
        third = threading.Thread(target=self.batch, args=(worker, 2))
        held_back = self.held_back(worker)
        third.start()
        self.assertTrue(held_back.wait(10))
        self.assertEqual(worker._journal.last_seq, 2)
        self.peer.hold.set()
        third.join(10)
        self.assertFalse(third.is_alive())
        self.assertTrue(all(future.done() for future in sent))

    def test_waits_when_too_much_is_uncommitted(self) -> None:
        self.peer.hold_commits = True
        self.peer.max_uncommitted = 2
        worker = self.join()
        for step in range(2):
            self.batch(worker, step)
        third = threading.Thread(target=self.batch, args=(worker, 2))
        held_back = self.held_back(worker)
        third.start()
        self.assertTrue(held_back.wait(10))
        self.assertEqual(worker._journal.last_seq, 2)
        worker.flush()
        third.join(10)
        self.assertFalse(third.is_alive())

    def test_a_message_over_the_limit_is_refused_before_it_is_sent(self) -> None:
        self.peer.max_message_bytes = 100
        worker = self.join()
        with self.assertRaises(gradeline.Refused) as caught:
            worker.batch("train", 0, 0, "classification", {"prediction": np.zeros(100, np.float32)})
        self.assertEqual(caught.exception.code, "RESOURCE_EXHAUSTED")
        self.assertEqual(self.batch(worker, 0).seq, 1)

    def test_stop_ends_everything(self) -> None:
        self.peer.stop_at = 2
        worker = self.join()
        self.batch(worker, 0)
        for _ in range(2):
            with self.assertRaises(gradeline.Stopped) as caught:
                self.batch(worker, 1)
            self.assertEqual(caught.exception.state, "CANCELLED")
            self.assertIn("asked to", str(caught.exception))

    def test_a_lost_seal_comes_with_the_next_welcome(self) -> None:
        self.peer.lose = {2}
        worker = self.join()
        with worker.phase("train", 0) as train:
            self.batch(worker, 0)
        self.assertEqual((train.sealed.epoch, train.sealed.complete), (0, True))
        self.assertEqual(train.sealed.metrics, {"accuracy": 0.5})
        self.assertEqual(self.peer.kinds(), ["batch", "end_phase"])

    def test_finish_says_goodbye_once(self) -> None:
        worker = self.join()
        self.batch(worker, 0)
        worker.finish()
        worker.finish()
        self.assertEqual(self.peer.kinds(), ["batch", "bye"])
        self.assertEqual(self.peer.received[-1].bye.reason, "")
        with self.assertRaises(gradeline.GradelineError):
            self.batch(worker, 1)

    def test_a_goodbye_whose_answer_was_lost_is_found_in_the_books(self) -> None:
        cases = (("RANK_DONE", {}), ("EXPERIMENT_ENDED", {"state": "SUCCEEDED"}))
        for reason, metadata in cases:
            with self.subTest(reason=reason):
                self.setUp()
                self.peer.lose = {2}
                self.peer.hello_error = lambda context: abort(context, "FAILED_PRECONDITION", reason, **metadata)
                worker = self.join()
                self.batch(worker, 0)
                worker.finish()
                self.assertEqual(self.peer.kinds(), ["batch", "bye"])

    def test_an_experiment_that_ended_meanwhile_stops_the_rank(self) -> None:
        self.peer.lose = {1}
        self.peer.hello_error = lambda context: abort(
            context, "FAILED_PRECONDITION", "EXPERIMENT_ENDED", state="CANCELLED"
        )
        with self.assertRaises(gradeline.Stopped) as caught:
            self.batch(self.join(), 0)
        self.assertEqual(caught.exception.state, "CANCELLED")

    def test_an_error_inside_with_fails_the_experiment(self) -> None:
        with self.assertRaises(RuntimeError):
            with self.join() as worker:
                self.batch(worker, 0)
                raise RuntimeError("out of cheese")
        self.assertEqual(self.peer.received[-1].bye.reason, "RuntimeError: out of cheese")

    def test_flush_waits_for_the_commit(self) -> None:
        self.peer.hold_commits = True
        worker = self.join()
        self.batch(worker, 0)
        self.assertEqual(worker.committed_seq, 0)
        self.assertEqual(worker.flush(), 1)
        self.assertEqual(worker.committed_seq, 1)

    def test_heartbeats_come_by_themselves_and_say_paused(self) -> None:
        with mock.patch.object(gradeline.link, "HEARTBEAT_SECONDS", 0.01):
            worker = self.join()
            with worker.paused():
                self.until(lambda: any(r.heartbeat.paused for r in self.peer.received))
            self.until(lambda: not self.peer.received[-1].heartbeat.paused)

    def test_gives_up_when_the_server_stays_away(self) -> None:
        worker = self.join(reconnect_seconds=0.3)
        self.peer.close()
        with self.assertRaises(gradeline.GradelineError) as caught:
            self.batch(worker, 0)
        self.assertEqual(caught.exception.code, "UNAVAILABLE")
        self.assertIn(self.peer.address, str(caught.exception))

    def test_an_error_of_the_server_is_not_tried_again(self) -> None:
        self.peer.hello_error = lambda context: abort(context, "PERMISSION_DENIED", "WRONG_TOKEN")
        self.peer.lose = {1}
        worker = self.join()
        with self.assertRaises(gradeline.GradelineError) as caught:
            self.batch(worker, 0)
        self.assertEqual(caught.exception.code, "PERMISSION_DENIED")

    def test_does_not_continue_the_records_of_another_worker(self) -> None:
        self.peer.committed_seq = 7
        with self.assertRaises(gradeline.GradelineError) as caught:
            self.join()
        self.assertEqual(caught.exception.code, "FAILED_PRECONDITION")

    def test_a_forked_child_may_not_use_it(self) -> None:
        worker = self.join()
        with mock.patch.object(os, "getpid", return_value=1):
            with self.assertRaises(gradeline.GradelineError) as caught:
                self.batch(worker, 0)
        self.assertIn("join after forking", str(caught.exception))

    def test_phases_do_not_overlap_and_number_their_batches(self) -> None:
        worker = self.join()
        with worker.phase("train", 0, accumulation=2) as train:
            self.assertEqual([train.next_key("a") for _ in range(3)], [(0, 0), (0, 1), (1, 0)])
            self.assertEqual(train.next_key("b"), (0, 0))
            with self.assertRaises(gradeline.GradelineError):
                with worker.phase("validation", 0):
                    pass
        with self.assertRaises(ValueError):
            worker.phase("training", 0)

    def test_a_phase_that_is_entered_again_goes_on_with_the_next_step(self) -> None:
        worker = self.join()
        with self.assertRaises(RuntimeError):
            with worker.phase("train", 0, accumulation=2) as train:
                self.assertEqual([train.next_key("a") for _ in range(3)], [(0, 0), (0, 1), (1, 0)])
                raise RuntimeError("out of cheese")
        with worker.phase("train", 0) as train:
            self.assertEqual([train.next_key(head) for head in "aab"], [(2, 0), (3, 0), (0, 0)])
        with worker.phase("train", 1) as train:
            self.assertEqual(train.next_key("a"), (0, 0))

    def test_a_phase_that_was_ended_cannot_be_entered_or_ended_again(self) -> None:
        worker = self.join()
        with worker.phase("train", 0):
            self.batch(worker, 0)
        for again in (lambda: worker.phase("train", 0).__enter__(), lambda: worker.end_phase("TRAIN", 0)):
            with self.assertRaisesRegex(gradeline.GradelineError, "train of epoch 0 was ended") as caught:
                self.within(10, again)
            self.assertEqual(caught.exception.code, "FAILED_PRECONDITION")
        self.assertIsNone(worker.current_phase)
        worker.finish()
        self.assertEqual(self.peer.kinds(), ["batch", "end_phase", "bye"])

    def steps(self) -> list:
        """Of the records in the books."""
        return sorted(record.key.step for record in self.peer.records.values())

    def held_back(self, worker: gradeline.Worker) -> threading.Event:
        """Set as soon as a caller of the worker finds that it has to wait."""
        found, wait = threading.Event(), worker._wait

        def watched(condition) -> None:
            wait(lambda: condition() or found.set())

        worker._wait = watched
        return found

    def within(self, seconds: float, call, *arguments):
        """The call's result, or its exception; fails when it does not return in time."""
        done: "Future" = Future()

        def run() -> None:
            try:
                done.set_result(call(*arguments))
            except BaseException as error:
                done.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        return done.result(seconds)

    def until(self, condition) -> None:
        deadline = time.monotonic() + 10
        while not condition():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.005)


if __name__ == "__main__":
    unittest.main()
