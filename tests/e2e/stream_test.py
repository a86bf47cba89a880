"""The training stream of the real server: lost connections, refused batches, tokens, and how attempts end."""

import threading
import unittest

import numpy as np

import gradeline
from gradeline import wire
from proxy import Proxy
from server import Server

HEAD = "classification"


def setUpModule() -> None:
    global server
    server = Server()


def tearDownModule() -> None:
    server.close()


def inputs(step: int) -> dict:
    random = np.random.RandomState(step)
    return {"prediction": random.randn(4, 3), "target": random.randint(0, 3, 4)}


def expected(step: int) -> tuple:
    """Loss and gradient of a step, in double."""
    logits, target = inputs(step).values()
    e = np.exp(logits - logits.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    rows = np.arange(4)
    loss = -np.log(p[rows, target]).mean()
    p[rows, target] -= 1
    return loss, p / 4


class StreamTest(unittest.TestCase):
    def start(self, **options) -> tuple:
        return server.experiment(metrics=["accuracy"], **options)

    def join(self, name: str, token: str, client: gradeline.Client = None) -> gradeline.Worker:
        worker = (client or server.client).join(name, token, 0, 1)
        self.addCleanup(worker._close)
        return worker

    def state(self, name: str) -> str:
        return wire.word(wire.STATES, server.client.experiment(name).state)

    def check(self, step: int, result: gradeline.Result) -> None:
        loss, gradient = expected(step)
        self.assertAlmostEqual(result.loss, loss, delta=1e-12)
        np.testing.assert_allclose(result.gradients["prediction"], gradient, atol=1e-12)

    def test_every_record_counts_once_however_often_the_connection_is_lost(self) -> None:
        proxy = Proxy(server.address)
        self.addCleanup(proxy.close)
        name, token = self.start()
        worker = self.join(name, token, gradeline.connect(proxy.address))
        cuts = {"train": range(20, 200, 20), "validation": range(10, 60, 10)}
        steps = {"train": 200, "validation": 60}
        for phase, count in steps.items():
            pending = []
            for step in range(count):
                if step in cuts[phase]:
                    proxy.cut()
                pending.append(worker.submit(phase, 0, step, HEAD, inputs(step)))
            for step, future in enumerate(pending):
                self.check(step, future.result(60))
            sealed = worker.end_phase(phase, 0)
            self.assertTrue(sealed.complete)
            self.assertEqual((sealed.batches, sealed.items, sealed.refused), (count, 4 * count, {}))
            self.assertAlmostEqual(sealed.loss, np.mean([expected(step)[0] for step in range(count)]), delta=1e-12)
            right = [np.equal(*(lambda z, t: (z.argmax(1), t))(*inputs(step).values())) for step in range(count)]
            self.assertAlmostEqual(sealed.metrics["accuracy"], np.mean(right), delta=1e-12)
        self.assertGreater(proxy.connections, 5)
        proxy.cut()
        worker.finish()
        self.assertEqual(self.state(name), "SUCCEEDED")

    def test_an_answer_that_was_lost_comes_again(self) -> None:
        proxy = Proxy(server.address)
        self.addCleanup(proxy.close)
        name, token = self.start()
        worker = self.join(name, token, gradeline.connect(proxy.address))
        for phase in ("train", "validation"):
            for step in range(5):
                proxy.swallow()
                future = worker.submit(phase, 0, step, HEAD, inputs(step))
                self.assertTrue(proxy.swallowed.wait(30))
                proxy.cut()
                self.check(step, future.result(60))
            sealed = worker.end_phase(phase, 0)
            self.assertEqual((sealed.complete, sealed.batches), (True, 5))

    def test_a_lost_seal_and_a_lost_goodbye_are_found_again(self) -> None:
        proxy = Proxy(server.address)
        self.addCleanup(proxy.close)
        name, token = self.start()
        worker = self.join(name, token, gradeline.connect(proxy.address))
        worker.batch("train", 0, 0, HEAD, inputs(0))

        def cut_after_answer() -> None:
            proxy.swallowed.wait(30)
            proxy.cut()

        for end in (lambda: self.assertTrue(worker.end_phase("train", 0).complete), worker.finish):
            worker.flush()  # nothing else is on its way to be swallowed
            proxy.swallow()
            cutter = threading.Thread(target=cut_after_answer)
            cutter.start()
            end()
            cutter.join()
        self.assertEqual(self.state(name), "SUCCEEDED")

    def test_a_server_that_comes_back_is_joined_again(self) -> None:
        own = Server()
        self.addCleanup(own.close)
        name, token = own.experiment()
        worker = own.client.join(name, token, 0, 1)
        self.addCleanup(worker._close)
        for step in range(3):
            worker.batch("train", 0, step, HEAD, inputs(step))
        own.kill()
        future = worker.submit("train", 0, 3, HEAD, inputs(3))
        own.start(own.address)
        self.check(3, future.result(60))
        sealed = worker.end_phase("train", 0)
        self.assertEqual((sealed.complete, sealed.batches), (True, 4))

    def test_bad_batches_are_refused_and_counted_and_the_stream_lives_on(self) -> None:
        name, token = self.start()
        worker = self.join(name, token)
        bad = [inputs(step) for step in range(3)]
        bad[0]["prediction"][2, 1] = np.nan
        bad[1]["target"][3] = 7
        bad[2] = {"prediction": np.zeros((4, 3)), "target": np.zeros((5, 3, 2))}
        errors = []
        for step, batch in enumerate(bad):
            with self.assertRaises(gradeline.Refused) as caught:
                worker.batch("train", 0, step, HEAD, batch)
            self.assertTrue(caught.exception.recorded)
            errors.append(caught.exception)
        self.assertIn("2", str(errors[0]))
        self.assertIn("7", str(errors[1]))
        self.assertIn("3", str(errors[1]))
        self.assertTrue(errors[2].violations)
        self.check(3, worker.batch("train", 0, 3, HEAD, inputs(3)))
        sealed = worker.end_phase("train", 0)
        self.assertTrue(sealed.complete)
        self.assertEqual((sealed.batches, sum(sealed.refused.values())), (1, 3))
        self.assertAlmostEqual(sealed.loss, expected(3)[0], delta=1e-12)

    def test_a_wrong_key_is_refused_without_record_and_what_follows_is_answered(self) -> None:
        name, token = self.start()
        worker = self.join(name, token)
        futures = [worker.submit("train", 0, 0, HEAD, inputs(0))]
        futures.append(worker.submit("train", 99, 0, "mask", inputs(0)))
        futures += [worker.submit("train", 0, step, HEAD, inputs(step)) for step in range(1, 4)]
        with self.assertRaises(gradeline.Refused) as caught:
            futures.pop(1).result(30)
        self.assertFalse(caught.exception.recorded)
        self.assertIn("mask", str(caught.exception))
        for step, future in enumerate(futures):
            self.check(step, future.result(30))
        self.assertEqual(worker.end_phase("train", 0).batches, 4)

    def test_what_cannot_join_is_told_why(self) -> None:
        name, token = self.start()
        cases = [
            (("nowhere", token, 0, 1), "NOT_FOUND"),
            ((name, "wrong", 0, 1), "PERMISSION_DENIED"),
            ((name, token, 1, 1), "INVALID_ARGUMENT"),
            ((name, token, 0, 2), "INVALID_ARGUMENT"),
        ]
        for arguments, code in cases:
            with self.subTest(arguments=arguments):
                with self.assertRaises(gradeline.GradelineError) as caught:
                    server.client.join(*arguments)
                self.assertEqual(caught.exception.code, code)
                self.assertTrue(caught.exception.from_server)
        self.assertEqual(self.state(name), "QUEUED")
        self.join(name, token)
        self.assertEqual(self.state(name), "RUNNING")
        with self.assertRaises(gradeline.GradelineError) as caught:
            server.client.join(name, token, 0, 1)
        self.assertEqual(caught.exception.code, "ALREADY_EXISTS")

    def test_cancel_stops_the_rank(self) -> None:
        name, token = self.start()
        worker = self.join(name, token)
        worker.batch("train", 0, 0, HEAD, inputs(0))
        server.client.call("CancelExperiment", name=name)
        with self.assertRaises(gradeline.Stopped) as caught:
            for step in range(1, 1000):
                worker.batch("train", 0, step, HEAD, inputs(step))
        self.assertEqual(caught.exception.state, "CANCELLED")

    def test_an_error_in_the_trainer_fails_the_experiment_with_its_text(self) -> None:
        name, token = self.start()
        with self.assertRaises(RuntimeError):
            with self.join(name, token) as worker:
                worker.batch("train", 0, 0, HEAD, inputs(0))
                raise RuntimeError("out of cheese")
        experiment = server.client.experiment(name)
        self.assertEqual(wire.word(wire.STATES, experiment.state), "FAILED")
        self.assertIn("out of cheese", experiment.state_reason)

    def test_the_watch_tells_every_seal_once_and_ends(self) -> None:
        name, token = self.start()
        with self.join(name, token) as worker:
            for phase in ("train", "validation"):
                with worker.phase(phase, 0):
                    worker.batch(phase, 0, 0, HEAD, inputs(0))
        events = list(server.client.watch(name))
        sealed = [event.sealed.phase for event in events if event.WhichOneof("event") == "sealed"]
        self.assertEqual(sealed, [wire.PHASES["TRAIN"], wire.PHASES["VALIDATION"]])
        self.assertEqual(events[-1].experiment.state, wire.STATES["SUCCEEDED"])
        self.assertEqual([epoch.phase for epoch in server.client.epochs(name)], ["train", "validation"])


if __name__ == "__main__":
    unittest.main()
