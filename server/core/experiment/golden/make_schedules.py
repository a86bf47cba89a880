#!/usr/bin/python3
"""Writes schedules.txt beside it: the learning rates that torch.optim.lr_scheduler gives, epoch by epoch, as hexadecimal
floats, which lose nothing. Made with PyTorch 1.13.

    case SCHEDULER BASE KEY=VALUE ...      parameters by the names of configs/catalog/schedulers
    losses ...                             of ReduceLROnPlateau: the measured value of each epoch
    rates ...                              of epoch 0, 1 ...
    momenta ...                            of CyclicLR that cycles it
"""

import pathlib
import warnings

import torch
from torch.optim import lr_scheduler

warnings.simplefilter("ignore")  # no optimiser steps between the scheduler's
OUT = pathlib.Path(__file__).with_name("schedules.txt")
EPOCHS = 60

# Falls, stays, rises, falls again; with ties, tiny gains and numbers that are none.
RECORDED = [2.302, 1.871, 1.442, 1.2, 1.199, 1.19899, 1.21, 1.1989, 1.25, 1.3, 1.1, 1.1, 1.1, 1.1, 1.0999, 1.05, 1.06, 1.07,
            float("nan"), 1.04, 1.0399999, 1.0, float("inf"), 0.99, 0.995, 0.991, 0.992, 0.993, 0.994, 0.99, 0.98, 0.97,
            0.9700001, 0.97, 0.971, 0.96, 0.959, 0.9589, 0.95889, 0.5, 0.51, 0.52, 0.53, 0.54, 0.55, 0.56, 0.57, 0.58, 0.59]
ACCURACIES = [1 - loss / 4 for loss in RECORDED]
BELOW_ZERO = [-loss for loss in RECORDED]  # where a relative threshold turns round


def words(values):
    return " ".join(float(value).hex() for value in values)


def text(value):
    return ",".join(map(str, value)) if isinstance(value, list) else str(value).lower() if isinstance(value, bool) else str(value)


def run(make, base, losses=None):
    optimiser = torch.optim.SGD([torch.zeros(1)], lr=base, momentum=0.9)
    scheduler = make(optimiser)
    group = optimiser.param_groups[0]
    rates, momenta = [], []
    for epoch in range(EPOCHS if losses is None else len(losses) + 1):
        rates.append(group["lr"])
        momenta.append(group["momentum"])
        if losses is None:
            scheduler.step()
        elif epoch < len(losses):
            scheduler.step(losses[epoch])
    return rates, momenta


def case(out, name, cls, base, own=None, losses=None, **parameters):
    """`own`: the arguments of PyTorch where they are not the parameters."""
    arguments = parameters if own is None else own
    rates, momenta = run(lambda optimiser: cls(optimiser, **arguments), base, losses)
    out.append(" ".join(["case", name, str(base)] + [f"{key}={text(value)}" for key, value in parameters.items()]))
    if losses is not None:
        out.append(f"losses {words(losses)}")
    out.append(f"rates {words(rates)}")
    if parameters.get("cycle_momentum"):
        out.append(f"momenta {words(momenta)}")


def cyclic(out, base, mode, gamma=1.0, scale_mode=None, cycle_momentum=False, **more):
    arguments = {"base_lr": base, "mode": mode, "gamma": gamma, "cycle_momentum": cycle_momentum, **more}
    shown = dict(arguments)
    del shown["base_lr"]  # the experiment's learning rate
    if scale_mode is not None:  # PyTorch looks at it only beside a function of one's own
        functions = {"triangular": lambda x: 1.0, "triangular2": lambda x: 1 / (2.0 ** (x - 1)), "exp_range": lambda x: gamma**x}
        arguments.update(scale_fn=functions[mode], scale_mode=scale_mode)
        shown["scale_mode"] = scale_mode
    case(out, "cyclic_lr", lr_scheduler.CyclicLR, base, own=arguments, **shown)


def main():
    out = []
    for base, step_size, gamma in ((0.1, 1, 0.1), (0.1, 7, 0.3), (0.05, 10, 0.9), (1e-3, 59, 0.5), (0.3, 100, 0.1)):
        case(out, "step_lr", lr_scheduler.StepLR, base, step_size=step_size, gamma=gamma)
    for base, milestones, gamma in ((0.1, [30, 50], 0.1), (0.05, [1], 0.7), (0.1, [5, 5, 9], 0.3), (0.2, [9, 3, 20, 59], 0.33)):
        case(out, "multi_step_lr", lr_scheduler.MultiStepLR, base, milestones=milestones, gamma=gamma)
    for base, gamma in ((0.1, 0.9), (1e-3, 0.97), (0.7, 0.1), (0.1, 1.0)):
        case(out, "exponential_lr", lr_scheduler.ExponentialLR, base, gamma=gamma)
    for base, t_max, eta_min in ((0.1, 10, 0.0), (0.1, 60, 1e-4), (0.003, 7, 0.001), (0.5, 1, 0.0), (0.5, 1, 0.1), (0.1, 200, 0.0)):
        case(out, "cosine_annealing_lr", lr_scheduler.CosineAnnealingLR, base, own={"T_max": t_max, "eta_min": eta_min},
             t_max=t_max, eta_min=eta_min)
    cyclic(out, 0.001, "triangular", max_lr=0.1, step_size_up=5)
    cyclic(out, 0.01, "triangular", max_lr=0.06, step_size_up=3, step_size_down=9)
    cyclic(out, 0.001, "triangular2", max_lr=0.1, step_size_up=4, step_size_down=3)
    cyclic(out, 0.001, "exp_range", gamma=0.94, max_lr=0.1, step_size_up=6)
    cyclic(out, 0.001, "exp_range", gamma=0.8, max_lr=0.1, step_size_up=6, scale_mode="cycle")
    cyclic(out, 0.001, "triangular2", max_lr=0.1, step_size_up=6, scale_mode="iterations")
    cyclic(out, 0.001, "triangular", max_lr=0.1, step_size_up=1, step_size_down=1, scale_mode="iterations")
    cyclic(out, 0.02, "triangular", max_lr=0.2, step_size_up=7, cycle_momentum=True)
    cyclic(out, 0.02, "exp_range", gamma=0.9, max_lr=0.2, step_size_up=7, step_size_down=2, cycle_momentum=True,
           base_momentum=0.5, max_momentum=0.95)
    plateau = lr_scheduler.ReduceLROnPlateau
    for losses, more in (
        (RECORDED, {}),
        (RECORDED, {"factor": 0.5, "patience": 0}),
        (RECORDED, {"factor": 0.5, "patience": 2, "cooldown": 3}),
        (RECORDED, {"factor": 0.3, "patience": 1, "threshold": 0.01, "threshold_mode": "abs", "min_lr": 0.002}),
        (RECORDED, {"factor": 0.1, "patience": 1, "threshold": 0.05, "threshold_mode": "rel"}),
        (RECORDED, {"factor": 0.9, "patience": 0, "eps": 0.01}),
        (ACCURACIES, {"mode": "max", "factor": 0.5, "patience": 1}),
        (ACCURACIES, {"mode": "max", "factor": 0.5, "patience": 1, "threshold": 0.02, "threshold_mode": "abs", "cooldown": 1}),
        (BELOW_ZERO, {"factor": 0.5, "patience": 2, "threshold": 0.1}),
    ):
        case(out, "reduce_lr_on_plateau", plateau, 0.1, losses=losses, **more)
    OUT.write_text(f"# By make_schedules.py, PyTorch {torch.__version__.split('a')[0]}.\n" + "\n".join(out) + "\n")


if __name__ == "__main__":
    main()
