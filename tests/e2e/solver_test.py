"""The solvers of the catalog beside PyTorch's classes: their defaults, their steps, and what cannot be made."""

import inspect
import pathlib
import shutil
import tempfile
import unittest

import numpy as np
import torch

import gradeline
import gradeline.torch
from gradeline.client import struct
from server import Server

CATALOG = pathlib.Path(__file__).resolve().parents[2] / "configs" / "catalog"
RATE = 0.01
CLASSES = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "adamax": torch.optim.Adamax,
    "adadelta": torch.optim.Adadelta,
    "adagrad": torch.optim.Adagrad,
    "asgd": torch.optim.ASGD,
    "rmsprop": torch.optim.RMSprop,
    "rprop": torch.optim.Rprop,
    "sgd": torch.optim.SGD,
}
# Of the catalog, where PyTorch has them together, or under a longer name. A form has one field for each number.
APART = {
    "betas": ("beta1", "beta2"),
    "etas": ("eta_minus", "eta_plus"),
    "step_sizes": ("step_min", "step_max"),
    "initial_accumulator_value": ("initial_accumulator",),
}
# How PyTorch computes, with the same numbers; maximize turns a loss into something else.
LEFT_OUT = {"params", "foreach", "capturable", "differentiable", "fused", "maximize"}
# What PyTorch has no default for: SGD's learning rate is a required argument. Lion is not in PyTorch; its authors'
# implementation beside arXiv 2302.06675 has these.
OTHERWISE = {
    "sgd": {"lr": 0.01},
    "lion": {"lr": 1e-4, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0},
}
# One of every parameter that has another name than in PyTorch, and values that show.
RENAMED = {
    "adam": ({"beta1": 0.5, "beta2": 0.7}, {"betas": (0.5, 0.7)}),
    "adamw": ({"beta1": 0.5, "beta2": 0.7}, {"betas": (0.5, 0.7)}),
    "adamax": ({"beta1": 0.5, "beta2": 0.7}, {"betas": (0.5, 0.7)}),
    "adagrad": ({"initial_accumulator": 0.3}, {"initial_accumulator_value": 0.3}),
    "rprop": (
        {"eta_minus": 0.3, "eta_plus": 1.5, "step_min": 0.008, "step_max": 0.012},
        {"etas": (0.3, 1.5), "step_sizes": (0.008, 0.012)},
    ),
    "lion": (
        {"beta1": 0.6, "beta2": 0.2, "weight_decay": 0.2},
        {"betas": (0.6, 0.2), "weight_decay": 0.2},
    ),
}


def setUpModule() -> None:
    global server
    server = Server()


def tearDownModule() -> None:
    server.close()


class lion:
    """Algorithm 2 of arXiv 2302.06675, number by number, in double precision."""

    def __init__(self, weights: list, lr: float, betas: tuple = (0.9, 0.99), weight_decay: float = 0.0) -> None:
        self.weight, self.rate, self.betas, self.decay = weights[0], lr, betas, weight_decay
        self.means = [0.0] * len(self.weight)

    def step(self) -> None:
        values, gradients = self.weight.tolist(), self.weight.grad.tolist()
        for i, (value, gradient) in enumerate(zip(values, gradients)):
            sign = np.sign(self.betas[0] * self.means[i] + (1 - self.betas[0]) * gradient)
            self.weight.data[i] = value - self.rate * (sign + self.decay * value)
            self.means[i] = self.betas[1] * self.means[i] + (1 - self.betas[1]) * gradient


def torchs_defaults(solver: str) -> dict:
    """Learning rate and parameters by the catalog's names."""
    defaults = {}
    for name, parameter in inspect.signature(CLASSES[solver]).parameters.items():
        if name in LEFT_OUT:
            continue
        apart = APART.get(name, (name,))
        values = parameter.default if len(apart) > 1 else (parameter.default,)
        defaults.update(zip(apart, values))
    return defaults


class SolverTest(unittest.TestCase):
    def joined(self, other: Server = None, **training: object) -> gradeline.Worker:
        """A worker of an experiment of one epoch."""
        used = other or server
        name, token = used.experiment(epochs=1, learning_rate=RATE, **training)
        worker = used.client.join(name, token, 0, 1)
        self.addCleanup(worker._close)
        return worker

    def stepped(self, make) -> torch.Tensor:
        """Two weights after four steps, the last of them back."""
        weight = torch.nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
        made = make([weight])
        for step in range(4):
            weight.grad = weight.detach() * (2 - step) + 0.5
            made.step()
        return weight.detach()

    def test_defaults_are_torchs(self) -> None:
        offered = {solver.name.split("/")[1]: solver for solver in server.client.pages("ListSolvers", "solvers")}
        self.assertEqual(sorted(offered), sorted([*CLASSES, "lion"]))
        for name, solver in offered.items():
            with self.subTest(solver=name):
                own = {one.id: one.default_value for one in solver.parameters}
                values = {key: getattr(one, one.WhichOneof("kind")) for key, one in own.items()}
                wanted = {**(torchs_defaults(name) if name in CLASSES else {}), **OTHERWISE.get(name, {})}
                self.assertEqual({"lr": solver.learning_rate, **values}, wanted)

    def test_every_solver_steps_as_its_peer(self) -> None:
        for solver, peer in {**CLASSES, "lion": lion}.items():
            with self.subTest(solver=solver):
                worker = self.joined(solver=solver)
                made = self.stepped(lambda weights: gradeline.torch.optimiser(worker, weights))
                self.equal(made, self.stepped(lambda weights: peer(weights, lr=RATE)))

    def test_parameters_with_another_name_reach_the_peer(self) -> None:
        for solver, (given, torchs) in RENAMED.items():
            peer = {**CLASSES, "lion": lion}[solver]
            usual = self.stepped(lambda weights: peer(weights, lr=RATE))
            for names in {frozenset(torchs), *(frozenset([name]) for name in torchs)}:
                own = {name: given[name] for key in names for name in APART.get(key, (key,))}
                with self.subTest(solver=solver, given=own):
                    worker = self.joined(solver=solver, solver_parameters=struct(own))
                    made = self.stepped(lambda weights: gradeline.torch.optimiser(worker, weights))
                    options = {name: torchs[name] for name in names}
                    self.equal(made, self.stepped(lambda weights: peer(weights, lr=RATE, **options)))
                    self.assertFalse(torch.equal(made, usual), "it shows")

    def equal(self, made: torch.Tensor, wanted: torch.Tensor) -> None:
        self.assertTrue(torch.allclose(made, wanted, rtol=1e-14, atol=0), (made, wanted))
        self.assertFalse(torch.equal(made, torch.tensor([1.0, -2.0], dtype=torch.float64)))

    def test_without_a_solver_the_trainer_makes_the_optimiser(self) -> None:
        self.refused(self.joined(), "the experiment names no solver: make the optimiser yourself")

    def test_a_parameter_that_torch_does_not_know_is_named(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            catalog = pathlib.Path(folder) / "catalog"
            shutil.copytree(CATALOG, catalog)
            with open(catalog / "solvers" / "sgd.yaml", "a") as sgd:
                for name in ("speed", "lr"):
                    sgd.write(f"  {name}: {{kind: number, default: 1, help: new}}\n")
            other = Server(catalog_path=str(catalog))
            self.addCleanup(other.close)
            worker = self.joined(other, solver="sgd")
            self.refused(worker, "solver_parameters: lr, speed; SGD of this package has no such parameter")

    def refused(self, worker: gradeline.Worker, text: str) -> None:
        with self.assertRaises(gradeline.GradelineError) as caught:
            gradeline.torch.optimiser(worker, [torch.nn.Parameter(torch.zeros(1))])
        self.assertEqual((caught.exception.code, caught.exception.message), ("FAILED_PRECONDITION", text))


if __name__ == "__main__":
    unittest.main()
