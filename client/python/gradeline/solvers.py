"""The experiment's solver as a PyTorch optimiser.

    optimiser = gradeline.torch.optimiser(worker, model.parameters())
    for epoch in worker.epochs():
        gradeline.torch.set_rate(worker, optimiser)

Parameters are those of configs/catalog/solvers, as the server resolved them.
"""

import inspect
from typing import Any, Dict, Iterable, Optional

import torch

from gradeline.errors import GradelineError
from gradeline.worker import Worker

# Two numbers of the catalog that are one pair of PyTorch's; and a number under another name.
_PAIRS = {"betas": ("beta1", "beta2"), "etas": ("eta_minus", "eta_plus"), "step_sizes": ("step_min", "step_max")}
_RENAMED = {"initial_accumulator": "initial_accumulator_value"}


class Lion(torch.optim.Optimizer):
    """Steps by the sign of a mean of the gradients (arXiv 2302.06675, algorithm 2); weight decay acts on the weights."""

    def __init__(self, params: Iterable[Any], lr: float = 1e-4, betas: tuple = (0.9, 0.99), weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Optional[Any] = None) -> Optional[Any]:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            now, kept = group["betas"]
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                mean = self.state[weight].setdefault("mean", torch.zeros_like(weight))
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.sub_(torch.sign(mean * now + weight.grad * (1 - now)), alpha=group["lr"])
                mean.mul_(kept).add_(weight.grad, alpha=1 - kept)
        return loss


_SOLVERS = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "adamax": torch.optim.Adamax,
    "adadelta": torch.optim.Adadelta,
    "adagrad": torch.optim.Adagrad,
    "asgd": torch.optim.ASGD,
    "lion": Lion,
    "rmsprop": torch.optim.RMSprop,
    "rprop": torch.optim.Rprop,
    "sgd": torch.optim.SGD,
}


def optimiser(worker: Worker, parameters: Iterable[Any]) -> torch.optim.Optimizer:
    """The optimiser of the experiment's solver over a model's parameters, with the learning rate of this moment.

    FAILED_PRECONDITION if the experiment names no solver, or this package lacks it or one of its parameters.
    """
    training = worker.experiment.training
    if not training.solver:
        raise GradelineError("FAILED_PRECONDITION", "the experiment names no solver: make the optimiser yourself")
    if training.solver not in _SOLVERS:
        known = ", ".join(sorted(_SOLVERS))
        raise GradelineError("FAILED_PRECONDITION", f'solver: "{training.solver}"; this package has {known}')
    solver = _SOLVERS[training.solver]
    arguments = _arguments(dict(training.solver_parameters))
    unknown = sorted(arguments.keys() - (inspect.signature(solver).parameters.keys() - {"params", "lr"}))
    if unknown:
        text = f"solver_parameters: {', '.join(unknown)}; {solver.__name__} of this package has no such parameter"
        raise GradelineError("FAILED_PRECONDITION", text)
    made = solver(parameters, lr=worker.learning_rate, **arguments)
    set_rate(worker, made)
    return made


def set_rate(worker: Worker, made: torch.optim.Optimizer) -> None:
    """Gives the optimiser the learning rate that the newest directive says, and the momentum where the schedule has one."""
    for group in made.param_groups:
        group["lr"] = worker.learning_rate
        if worker.momentum is not None:
            group["momentum"] = worker.momentum


def _arguments(parameters: Dict[str, Any]) -> Dict[str, Any]:
    arguments = {_RENAMED.get(name, name): value for name, value in parameters.items()}
    for pair, names in _PAIRS.items():
        if all(name in arguments for name in names):
            arguments[pair] = tuple(arguments.pop(name) for name in names)
    return arguments
