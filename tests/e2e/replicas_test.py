"""Two servers over one PostgreSQL database: who reaches the wrong one gets to the owner, and a dead owner is replaced."""

import json
import subprocess
import unittest
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, List, Optional, Tuple

import grpc
import numpy as np

import gradeline
from gradeline import wire
from gradeline.errors import from_rpc
from gradeline.stream import Stream
from postgres import Postgres
from server import BIN, Server

TAKEOVER_MS = 1000
EPOCHS, STEPS, ROWS = 3, 40, 5


def setUpModule() -> None:
    global first, second, both
    postgres = Postgres()
    unittest.addModuleCleanup(postgres.close)
    leases = {"leases_gone_ms": "20000", "leases_progress_ms": "20000"}  # nobody waits long for a rank that fails
    settings = {"store_postgres": postgres.conninfo, "store_takeover_ms": str(TAKEOVER_MS), **leases}
    first, second = (Server(**settings) for _ in range(2))
    unittest.addModuleCleanup(first.close)
    unittest.addModuleCleanup(second.close)
    second._numbers = first._numbers  # names of one database
    both = f"ipv4:{first.address},{second.address}"


def cli(target: str, *words: Any) -> subprocess.CompletedProcess:
    command = [str(BIN / "gradeline"), "--server", target, "-o", "json", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def sent_to(server: Server, name: str) -> Optional[str]:
    """Where the server sends a worker that does not follow; None if it is the owner."""
    hello = {"experiment": name, "attempt_token": "wrong", "world_size": 1, "instance": b"i" * 16}
    stream = Stream(server.address, wire.TrainRequest(hello=hello))
    try:
        next(iter(stream))
    except grpc.RpcError as failure:
        error = from_rpc(failure, server.address)
        return error.metadata["address"] if error.reason == "NOT_OWNER" else None
    finally:
        stream.close()
    raise AssertionError("a wrong token was taken")


class Case(unittest.TestCase):
    maxDiff = None

    def owner(self, name: str) -> Tuple[Server, Server]:
        """The experiment's owner, and the other one."""
        sent = [sent_to(server, name) for server in (first, second)]
        self.assertIn(sent, ([None, first.address], [second.address, None]))
        return (first, second) if sent[0] is None else (second, first)

    def kill(self, server: Server) -> None:
        """It is back at the end of the test, or before."""
        server.kill()
        self.addCleanup(self.bring_back, server)

    def stop(self, server: Server) -> None:
        """As for a new release; otherwise like kill."""
        server.terminate()
        self.assertEqual(server.ended(20), 0)
        self.addCleanup(self.bring_back, server)

    def bring_back(self, server: Server) -> None:
        if server._process.poll() is not None:
            server.start(server.address)
            server.client.call("GetServerInfo")  # by a new connection

    def state(self, server: Server, name: str) -> str:
        return wire.word(wire.STATES, server.client.experiment(name).state)


class WorkersTest(Case):
    def train(self, target: str = "", end: Optional[Callable[[Server], None]] = None) -> List[gradeline.Epoch]:
        """A run of two ranks, in Python and in C++; its sealed epochs.

        target: what the ranks are configured with; without it, the server that is not the owner.
        end: done to the owner in the middle.
        """
        name, token = first.experiment(world_size=2, epochs=EPOCHS, metrics=["accuracy"])
        owner, other = self.owner(name)
        target = target or other.address
        command = [str(BIN / "crash_worker"), target, name, token, "1", "2", str(EPOCHS), str(STEPS)]
        with ThreadPoolExecutor(1) as pool, subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as rank:
            try:
                watched = pool.submit(lambda: list(other.client.watch(name)))
                self.rank(target, name, token, lambda: end(owner) if end else None)
                _, said = rank.communicate(timeout=60)
                self.assertEqual(rank.returncode, 0, said)
                events = [event for event in watched.result(60) if event.WhichOneof("event") != "progress"]
            finally:
                rank.kill()
        self.assertEqual([event.revision for event in events], list(range(1, len(events) + 1)))
        self.assertEqual(self.state(other, name), "SUCCEEDED")
        self.assertEqual(sent_to(other, name), None if end else owner.address)
        return other.client.epochs(name)

    def rank(self, target: str, name: str, token: str, in_the_middle: Any) -> None:
        """Rank 0: random batches, always the same."""
        random = np.random.default_rng(7)
        with gradeline.connect(target).join(name, token, 0, 2) as worker:
            for epoch in range(EPOCHS):
                for phase, steps in (("train", STEPS), ("validation", 3)):
                    answers = []
                    for step in range(steps):
                        if (phase, epoch, step) == ("train", EPOCHS // 2, STEPS // 2):
                            in_the_middle()
                        batch = {
                            "prediction": random.standard_normal((ROWS, 3), np.float32),
                            "target": random.integers(0, 3, ROWS),
                        }
                        answers.append(worker.submit(phase, epoch, step, "classification", batch))
                    for answer in answers:
                        answer.result(60)
                    worker.end_phase(phase, epoch)

    def test_the_end_of_the_owner_changes_no_number(self) -> None:
        undisturbed = self.train()
        # Rank 1 reports one batch more in training, and two in validation.
        batches = [(epoch.phase, epoch.batches) for epoch in undisturbed]
        self.assertEqual(batches, [("train", 2 * STEPS + 1), ("validation", 5)] * EPOCHS)
        for target, end in (("", self.kill), (both, self.kill), (both, self.stop)):
            with self.subTest(target=target, end=end.__name__):
                self.assertEqual(self.train(target, end), undisturbed)
                self.doCleanups()  # both are there again


class LifecycleTest(Case):
    def run_cli(self, server: Server, verb: str, name: str) -> Any:
        done = cli(server.address, verb, "experiment", name)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_the_command_line_gets_to_the_owner(self) -> None:
        for maker, starter in ((first, second), (second, first)):
            name = maker.draft()
            self.assertTrue(self.run_cli(starter, "start", name)["attemptToken"])
            owner, other = self.owner(name)
            self.assertEqual(self.run_cli(other, "cancel", name)["state"], "EXPERIMENT_STATE_CANCELLED")
            self.assertTrue(self.run_cli(other, "resume", name)["attemptToken"])
            self.assertEqual([self.state(server, name) for server in (owner, other)], ["QUEUED", "QUEUED"])
            refused = cli(other.address, "start", "experiment", name)
            self.assertEqual(refused.returncode, 5, refused.stderr)  # the owner's answer

    def test_python_gets_to_the_owner(self) -> None:
        for maker, starter in ((first, second), (second, first)):
            name = maker.draft()
            self.assertTrue(starter.client.call("StartExperiment", name=name).attempt_token)
            owner, other = self.owner(name)
            other.client.call("CancelExperiment", name=name)
            self.assertTrue(other.client.call("ResumeExperiment", name=name).attempt_token)
            self.assertEqual([self.state(server, name) for server in (owner, other)], ["QUEUED", "QUEUED"])

    def test_the_command_line_waits_for_the_next_owner(self) -> None:
        name, _ = first.experiment()
        owner, other = self.owner(name)
        self.kill(owner)
        self.assertEqual(self.run_cli(other, "cancel", name)["state"], "EXPERIMENT_STATE_CANCELLED")

    def test_python_waits_for_the_next_owner(self) -> None:
        name, _ = first.experiment()
        owner, other = self.owner(name)
        self.kill(owner)
        other.client.call("CancelExperiment", name=name)
        self.assertEqual(self.state(other, name), "CANCELLED")

    def test_a_server_that_comes_back_sends_to_the_next_owner(self) -> None:
        name, token = first.experiment()
        owner, other = self.owner(name)
        self.kill(owner)
        with gradeline.connect(other.address).join(name, token):
            self.bring_back(owner)
            self.assertEqual(self.owner(name), (other, owner))


if __name__ == "__main__":
    unittest.main()
