#!/usr/bin/python3
"""Boundary loss: probabilities times distance maps, summed over classes. An input weight multiplies the denominator too."""

import pathlib
import sys

import torch

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
from golden import Golden, reals

golden = Golden(__file__, f"PyTorch {torch.__version__}, softmax times distances")
for seed, (shape, weighted) in enumerate((s, w) for s in [(5, 3), (2, 2, 7), (2, 4, 3, 2)] for w in [False, True]):
    generator = torch.Generator().manual_seed(seed)
    prediction = reals(generator, *shape, per_unit=100).requires_grad_()
    inputs = {"distance": reals(generator, *shape, low=-20.0, high=20.0)}
    items = (prediction.softmax(1) * inputs["distance"]).sum(1)
    count = torch.tensor(float(items.numel()))
    if weighted:
        inputs["weight"] = reals(generator, *items.shape, low=0.0, high=2.0)
        items, count = items * inputs["weight"], inputs["weight"].sum()
    name = "x".join(map(str, shape)) + f"-weight{int(weighted)}"
    golden.case(name, {}, {"prediction": prediction, **inputs}, {"boundary": (items.sum(), count)}, items)
golden.write()
