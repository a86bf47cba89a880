"""Which of several servers is called: Route by itself, and a worker among peers of which one owns the experiment."""

import socket
import unittest

import numpy as np

import gradeline
from gradeline.errors import GradelineError
from gradeline.route import Route
from peer import Peer

LOST = GradelineError("UNAVAILABLE", "connection refused")


def not_owner(address: str) -> GradelineError:
    return GradelineError("UNAVAILABLE", "elsewhere", reason="NOT_OWNER", metadata={"address": address})


class RouteTest(unittest.TestCase):
    def setUp(self) -> None:
        self.route = Route("target")

    def failed(self, *errors: GradelineError) -> list:
        """Whether each is followed at once, and where to."""
        return [(self.route.failed(error), self.route.address) for error in errors]

    def test_stays_at_a_target_that_names_no_owner(self) -> None:
        self.assertEqual(self.failed(LOST, not_owner(""), LOST), [(False, "target")] * 3)

    def test_servers_that_name_each_other_do_not_keep_it_busy(self) -> None:
        found = self.failed(not_owner("a"), not_owner("b"), not_owner("a"))
        self.assertEqual(found, [(True, "a"), (True, "b"), (False, "target")])

    def test_an_owner_that_names_the_target_is_followed_again_later(self) -> None:
        found = self.failed(not_owner("a"), not_owner("target"), LOST, LOST, not_owner("a"))
        self.assertEqual(found, [(True, "a"), (True, "target"), (False, "target"), (False, "target"), (True, "a")])

    def test_target_and_a_dead_owner_are_called_in_turn(self) -> None:
        found = self.failed(*[not_owner("a"), LOST] * 3, not_owner("b"))
        self.assertEqual(found, [(True, "a"), (False, "target")] * 3 + [(True, "b")])

    def test_a_dead_target_and_the_owner_are_called_in_turn(self) -> None:
        self.failed(not_owner("a"))
        self.route.reached()
        self.assertEqual(self.failed(*[LOST] * 4), [(False, "target"), (False, "a")] * 2)

    def test_a_target_that_takes_the_call_is_the_owner(self) -> None:
        self.failed(not_owner("a"), LOST)
        self.route.reached()
        self.assertEqual(self.failed(LOST), [(False, "target")])


class WorkerAmongPeersTest(unittest.TestCase):
    def setUp(self) -> None:
        self.other, self.owner = Peer(), Peer()
        self.other.owner = self.owner.address
        for peer in (self.other, self.owner):
            self.addCleanup(peer.close)

    def join(self, address: str, **options) -> gradeline.Worker:
        worker = gradeline.connect(address).join("e", "token", 0, 1, **options)
        self.addCleanup(worker._close)
        return worker

    def batch(self, worker: gradeline.Worker, step: int) -> None:
        inputs = {"prediction": np.full((2, 3), step + 1, np.float32)}
        future = worker.submit("train", 0, step, "classification", inputs)
        self.assertEqual(future.result(20).loss, 6.0 * (step + 1))

    def test_being_sent_to_the_owner_is_no_failed_try(self) -> None:
        worker = self.join(self.other.address, reconnect_seconds=0.0)  # gives up at the first
        self.batch(worker, 0)
        self.assertEqual((len(self.owner.hellos), len(self.other.hellos)), (1, 0))
        worker.finish()

    def test_goes_on_at_the_server_that_takes_over(self) -> None:
        worker = self.join(self.other.address)
        self.batch(worker, 0)
        worker.flush()
        self.owner.close()
        for _ in range(3):  # it still names the dead one
            self.assertTrue(self.other.sent_away.acquire(timeout=20))
        self.other.committed_seq = self.owner.committed_seq  # one database
        self.other.owner = ""
        self.batch(worker, 1)
        self.assertEqual([request.batch.seq for request in self.other.received], [2])
        worker.finish()

    def test_goes_on_at_another_server_that_takes_over(self) -> None:
        worker = self.join(self.other.address)
        self.batch(worker, 0)
        worker.flush()
        third = Peer()
        self.addCleanup(third.close)
        third.committed_seq = self.owner.committed_seq
        self.owner.close()
        self.other.owner = third.address
        self.batch(worker, 1)
        self.assertEqual((len(third.hellos), len(self.other.hellos)), (1, 0))
        worker.finish()

    def test_an_owner_that_loses_the_experiment_names_the_next(self) -> None:
        worker = self.join(self.owner.address)
        self.batch(worker, 0)
        worker.flush()
        self.other.owner, self.other.committed_seq = "", self.owner.committed_seq
        self.owner.owner = self.other.address
        self.owner.cut = {2}
        self.owner.hold_commits = True
        self.batch(worker, 1)
        self.batch(worker, 2)
        self.assertEqual(self.other.kinds(), ["replay", "batch"])

    def test_finds_back_to_the_owner_when_the_target_is_gone(self) -> None:
        worker = self.join(self.other.address)
        self.other.close()
        self.owner.cut = {1}
        self.batch(worker, 0)
        self.batch(worker, 1)
        self.assertEqual(len(self.owner.hellos), 2)
        worker.finish()

    def test_gives_up_when_nobody_takes_over(self) -> None:
        worker = self.join(self.other.address, reconnect_seconds=0.5)
        self.owner.close()
        with self.assertRaises(GradelineError) as caught:
            self.batch(worker, 0)
        self.assertEqual(caught.exception.code, "UNAVAILABLE")

    def test_a_target_may_name_several_servers(self) -> None:
        with socket.socket() as dead:
            dead.bind(("127.0.0.1", 0))  # does not listen
            target = f"ipv4:127.0.0.1:{dead.getsockname()[1]},{self.owner.address}"
            worker = self.join(target, reconnect_seconds=0.0)
            self.batch(worker, 0)
            worker.finish()


if __name__ == "__main__":
    unittest.main()
