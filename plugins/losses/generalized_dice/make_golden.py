#!/usr/bin/python3
"""Generalized Dice; an absent class that counts weighs as much as the heaviest one, as in MONAI."""

import pathlib
import sys

import torch

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
from golden import Golden
from regions import batches, overlaps

golden = Golden(__file__, f"PyTorch {torch.__version__}, generalized Dice of one-hot targets")
for number, (name, params, prediction, labels) in enumerate(batches(2)):
    smooth = 1e-5
    if number >= 8:
        smooth = params["smooth"] = 0.5
    intersection, predicted, true = overlaps(prediction, labels, params)
    weight = torch.where(true > 0, 1 / true.clamp_min(1) ** 2, 0.0)
    if params["absent_class"] == "count":
        weight = torch.where(true > 0, weight, weight.max(1, keepdim=True).values)
    score = (2 * (weight * intersection).sum(1) + smooth) / ((weight * (predicted + true)).sum(1) + smooth)
    loss = (1 - score).mean()
    golden.case(name, params, {"prediction": prediction, "target": labels}, {"generalized_dice": (loss, torch.ones(()))})
golden.write()
