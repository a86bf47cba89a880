#!/usr/bin/python3
"""The formula of the authors' code (mmdetection, distribution_focal_loss) on each side, the mean of the four."""

import itertools
import pathlib
import sys

import torch
import torch.nn.functional as F

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
from golden import Golden, reals

golden = Golden(__file__, f"mmdetection distribution_focal_loss on PyTorch {torch.__version__}")
for seed, (bins, with_weight) in enumerate(itertools.product([2, 8, 17], [False, True])):
    generator = torch.Generator().manual_seed(3700 + seed)
    prediction = reals(generator, 3, 4, bins).requires_grad_()
    target = reals(generator, 3, 4, low=0.0, high=bins - 1.0)
    sides, place = prediction.reshape(12, bins), target.reshape(12)
    left = place.long().clamp(max=bins - 2)
    items = F.cross_entropy(sides, left, reduction="none") * (left + 1 - place)
    items = (items + F.cross_entropy(sides, left + 1, reduction="none") * (place - left)).reshape(3, 4).mean(1)
    inputs, share = {"target": target}, torch.ones(3)
    if with_weight:
        inputs["weight"] = reals(generator, 3, low=0.0, high=2.0)
        items, share = items * inputs["weight"], share * inputs["weight"]
    name = f"bins{bins}-input{int(with_weight)}"
    golden.case(name, {}, {"prediction": prediction, **inputs}, {"distribution_focal": (items.sum(), share.sum())}, items)
golden.write()
