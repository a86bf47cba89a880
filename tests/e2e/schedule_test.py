"""The learning rate from the server: directives against PyTorch's own schedulers, over a resume too."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest
from concurrent import futures

import numpy as np
import torch

import gradeline
import gradeline.torch
from gradeline import wire
from gradeline.client import struct
from server import Server

CATALOG = pathlib.Path(__file__).resolve().parents[2] / "configs" / "catalog"
VALUES = (0.0, 1.0, 0.5, 0.5, 2.0, 2.0)  # the logit of the right class: the loss falls where it rises


def setUpModule() -> None:
    global server
    server = Server()


def tearDownModule() -> None:
    server.close()


def rows(value: float) -> dict:
    logits = np.zeros((2, 3), np.float32)
    logits[:, 0] = value
    return {"prediction": logits, "target": np.zeros(2, np.int64)}


def peer(rate: float) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1)], lr=rate)


class ScheduleTest(unittest.TestCase):
    def join(self, **training: object) -> gradeline.Worker:
        self.name, token = server.experiment(epochs=len(VALUES), **training)
        return self.joined(token)

    def joined(self, token: str, rank: int = 0, world_size: int = 1) -> gradeline.Worker:
        worker = server.client.join(self.name, token, rank, world_size)
        self.addCleanup(worker._close)
        return worker

    def train(self, worker: gradeline.Worker, epoch: int) -> float:
        """One epoch; the loss of its validation as sealed."""
        with worker.phase("train", epoch):
            worker.batch("train", epoch, 0, "classification", rows(0))
        with worker.phase("validation", epoch) as validation:
            worker.batch("validation", epoch, 0, "classification", rows(VALUES[epoch]), gradient=False)
        return validation.sealed.loss

    def resume(self, worker: gradeline.Worker, first_epoch: int) -> gradeline.Worker:
        return self.joined(self.resumed(worker, first_epoch))

    def resumed(self, worker: gradeline.Worker, first_epoch: int) -> str:
        """The token of the next attempt."""
        worker.fail("stopped by the test")
        return server.client.call("ResumeExperiment", name=self.name, first_epoch=first_epoch).attempt_token

    def train_together(self, workers: list, epoch: int) -> None:
        """One epoch of two ranks, of which the first validates."""
        for worker in workers:
            worker.batch("train", epoch, 0, "classification", rows(0))
        with futures.ThreadPoolExecutor() as pool:
            list(pool.map(lambda worker: worker.end_phase("train", epoch), workers))
        self.validate(workers[0], epoch)

    def validate(self, worker: gradeline.Worker, epoch: int, value: float = 0.0) -> None:
        with worker.phase("validation", epoch):
            worker.batch("validation", epoch, 0, "classification", rows(value), gradient=False)

    def test_rates_of_the_epoch(self) -> None:
        parameters = struct({"step_size": 2, "gamma": 0.3})
        worker = self.join(learning_rate=0.1, scheduler="step_lr", scheduler_parameters=parameters)
        own = peer(0.1)
        scheduler = torch.optim.lr_scheduler.StepLR(own, 2, 0.3)
        for epoch in range(len(VALUES)):
            self.assertEqual(worker.learning_rate, own.param_groups[0]["lr"], epoch)
            if epoch == 3:
                worker = self.resume(worker, epoch)
                self.assertEqual(worker.learning_rate, own.param_groups[0]["lr"], "of a resumed attempt")
            self.train(worker, epoch)
            own.step()
            scheduler.step()
        worker.finish()

    def test_a_plateau_of_the_sealed_loss(self) -> None:
        parameters = struct({"patience": 0, "factor": 0.3, "cooldown": 1})
        worker = self.join(learning_rate=0.1, scheduler="reduce_lr_on_plateau", scheduler_parameters=parameters)
        own = peer(0.1)
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(own, patience=0, factor=0.3, cooldown=1)
        seen = set()
        walk = worker.epochs()
        for epoch in range(len(VALUES)):
            if epoch == 3:
                worker = self.resume(worker, epoch)
                walk = worker.epochs()
            self.assertEqual(next(walk), epoch)
            self.assertEqual(worker.learning_rate, own.param_groups[0]["lr"], epoch)
            seen.add(worker.learning_rate)
            scheduler.step(self.train(worker, epoch))
        worker.finish()
        self.assertGreater(len(seen), 1, "it was cut")
        seals = server.client.epochs(self.name)
        self.assertTrue(all(seal.directive.learning_rate is None for seal in seals if seal.phase == "train"))

    def test_ranks_of_a_resumed_attempt_ignore_the_validation_of_the_epoch_before(self) -> None:
        parameters = struct({"patience": 0, "factor": 0.5})
        self.name, token = server.experiment(
            epochs=4,
            learning_rate=0.1,
            world_size=2,
            validation_ranks=wire.PHASE_RANKS["FIRST"],
            scheduler="reduce_lr_on_plateau",
            scheduler_parameters=parameters,
        )
        workers = [self.joined(token, rank, 2) for rank in range(2)]
        for epoch in range(2):  # equally good: the second cuts
            self.train_together(workers, epoch)
        token = self.resumed(workers[0], 2)
        workers = [self.joined(token, 0, 2)]
        self.validate(workers[0], 1, value=2.0)  # better, where the first attempt was not
        workers.append(self.joined(token, 1, 2))  # when the seal is there already
        walks = [worker.epochs() for worker in workers]
        self.assertEqual([next(walk) for walk in walks], [2, 2])
        self.assertEqual([worker.learning_rate for worker in workers], [0.05, 0.05])
        seal = [seal for seal in server.client.epochs(self.name) if seal.phase == "validation"][-1]
        self.assertIsNone(seal.directive.learning_rate, "decided when the attempt opened")
        self.train_together(workers, 2)  # no better than the best of the first attempt
        self.assertEqual([next(walk) for walk in walks], [3, 3])
        self.assertEqual([worker.learning_rate for worker in workers], [0.025, 0.025])
        self.assertFalse(workers[0].should_stop or workers[1].should_stop)

    def test_momentum_cycles_against_the_rate(self) -> None:
        cycle = {"max_lr": 0.4, "step_size_up": 2, "cycle_momentum": True}
        worker = self.join(learning_rate=0.1, solver="sgd", scheduler="cyclic_lr", scheduler_parameters=struct(cycle))
        model = torch.nn.Linear(2, 2)
        made = gradeline.torch.optimiser(worker, model.parameters())
        own = torch.optim.SGD([torch.zeros(1)], lr=0.1, momentum=0.9)
        scheduler = torch.optim.lr_scheduler.CyclicLR(own, 0.1, 0.4, step_size_up=2)
        for epoch in range(len(VALUES)):
            gradeline.torch.set_rate(worker, made)
            for key in ("lr", "momentum"):
                self.assertEqual(made.param_groups[0][key], own.param_groups[0][key], (epoch, key))
            self.train(worker, epoch)
            own.step()
            scheduler.step()
        worker.finish()


class CheckTest(unittest.TestCase):
    def check(self, *settings: str) -> subprocess.CompletedProcess:
        command = [os.path.join(os.environ["GRADELINE_BIN"], "gradelined"), "--check"]
        for setting in settings:
            command += ["--set", setting]
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
            self.assertEqual(os.listdir(folder), [], "it writes nothing")
        return done

    def test_what_is_shipped_is_right(self) -> None:
        done = self.check()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("10 solvers, 6 schedulers, 18 augmentations", done.stdout)

    def test_every_mistake_has_its_file_and_line(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            catalog = pathlib.Path(folder) / "catalog"
            shutil.copytree(CATALOG, catalog)
            solver, task = catalog / "solvers" / "sgd.yaml", catalog / "tasks" / "tagging.yaml"
            solver.write_text(solver.read_text().replace("default: false", "default: fals"))
            task.write_text(task.read_text() + "metrix: [accuracy]\n")
            done = self.check(f"catalog.path={catalog}")
            self.assertEqual(done.returncode, 1)
            self.assertIn("tasks/tagging.yaml:6: metrix: is no key; did you mean metrics?", done.stderr)
            task.write_text(task.read_text().replace("metrix: [accuracy]\n", ""))
            done = self.check(f"catalog.path={catalog}")
            self.assertRegex(done.stderr, r"solvers/sgd\.yaml:\d+: parameters\.nesterov\.default: is neither true nor false")

    def test_a_wrong_setting(self) -> None:
        done = self.check("grpc.lissten=127.0.0.1:0")
        self.assertEqual(done.returncode, 1)
        self.assertIn("listen", done.stderr)


if __name__ == "__main__":
    unittest.main()
