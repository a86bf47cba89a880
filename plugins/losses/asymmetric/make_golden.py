#!/usr/bin/python3
"""The formulas of the authors' code (Alibaba-MIIL/ASL, AsymmetricLoss) with PyTorch's derivatives, without its cap of the logarithms
at log 1e-8; the row's sum over the classes, and ignored labels, which the code has not."""

import itertools
import pathlib
import sys

import torch
import torch.nn.functional as F

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
from golden import Golden, reals

golden = Golden(__file__, f"Alibaba-MIIL/ASL AsymmetricLoss on PyTorch {torch.__version__}")
settings = [{}, {"gamma_neg": 2.0, "gamma_pos": 0.0, "clip": 0.0}, {"gamma_neg": 2.5, "gamma_pos": 0.5, "clip": 0.2}, {"clip": 0.0}]
for seed, (params, kind, with_weight) in enumerate(itertools.product(settings, ["label", "ignore"], [False, True])):
    generator = torch.Generator().manual_seed(3300 + seed)
    prediction = reals(generator, 4, 5).requires_grad_()
    target = torch.randint(0, 2, (4, 5), generator=generator)
    if kind == "ignore":
        target.view(-1)[1::3] = -100
    valid, y = (target >= 0).to(torch.float64), target.clamp(min=0).to(torch.float64)
    gamma_neg, gamma_pos, clip = params.get("gamma_neg", 4.0), params.get("gamma_pos", 1.0), params.get("clip", 0.05)
    yes = torch.sigmoid(prediction)
    no = 1 - yes
    if clip > 0:
        no = (no + clip).clamp(max=1)
    log = y * torch.log(yes) + (1 - y) * torch.log(no)
    focus = torch.pow(1 - yes * y - no * (1 - y), gamma_pos * y + gamma_neg * (1 - y))
    items, share = -log * focus * valid, valid / 5
    inputs = {"target": target}
    if with_weight:
        inputs["weight"] = reals(generator, 4, 5, low=0.0, high=2.0)
        items, share = items * inputs["weight"], share * inputs["weight"]
    name = "-".join([kind, f"input{int(with_weight)}", *(f"{key}{value}" for key, value in params.items())])
    golden.case(name, params, {"prediction": prediction, **inputs}, {"asymmetric": (items.sum(), share.sum())}, items.sum(1))
golden.write()
