#!/usr/bin/python3
"""torchvision's sigmoid_focal_loss. Class weights and ignored labels, which it has not, multiply the losses of its elements."""

import itertools
import pathlib
import sys

import torch
import torchvision

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent.parent / "golden"))
from golden import Golden, reals

golden = Golden(__file__, f"torchvision {torchvision.__version__}, ops.sigmoid_focal_loss")
layouts = {"decisions": (9,), "classes": (2, 3, 2)}
rules = [(2.0, -1.0), (2.0, 0.25), (1.5, 0.6)]
kinds = ["hard", "ignored", "soft", "weighted"]
for seed, (layout, (gamma, alpha), kind) in enumerate(itertools.product(layouts, rules, kinds)):
    generator = torch.Generator().manual_seed(seed)
    shape = layouts[layout]
    prediction = reals(generator, *shape).requires_grad_()
    target = torch.randint(0, 2, shape, generator=generator)
    factor = torch.ones(shape)
    valid = torch.ones(shape)
    params = {"gamma": gamma, "alpha": alpha}
    if kind == "soft":
        target = reals(generator, *shape, low=0.0, high=1.0)
    if kind == "weighted" and layout == "classes":
        params["class_weights"] = [1.0, 2.0, 0.5]
        factor = torch.tensor(params["class_weights"]).view(1, 3, 1).expand(shape)
    items = torchvision.ops.sigmoid_focal_loss(prediction, target.double(), alpha=alpha, gamma=gamma)
    if kind == "ignored":
        valid.view(-1)[1::4] = 0
        target = torch.where(valid > 0, target, 255)
        params["ignore_index"] = 255
    items = items * factor * valid
    inputs = {"prediction": prediction, "target": target}
    golden.case(f"{layout}-gamma{gamma}-alpha{alpha}-{kind}", params, inputs, {"focal": (items.sum(), valid.sum())}, items)
golden.write()
