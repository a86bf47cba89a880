#!/usr/bin/python3
"""PyTorch's Huber loss for every layout. An input weight, which PyTorch has not, multiplies the denominator too."""

import itertools
import pathlib
import sys

import torch
import torch.nn.functional as F

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
from golden import Golden, reals

golden = Golden(__file__, f"PyTorch {torch.__version__}, F.huber_loss")
shapes = {"rows": (5,), "columns": (3, 4), "grid": (2, 2, 3)}
for seed, (layout, with_weight, delta) in enumerate(itertools.product(shapes, [False, True], [0.5, 1.0, 2.5])):
    generator = torch.Generator().manual_seed(3200 + seed)
    prediction = reals(generator, *shapes[layout]).requires_grad_()
    inputs = {"target": reals(generator, *shapes[layout])}
    items = F.huber_loss(prediction, inputs["target"], delta=delta, reduction="none")
    share = torch.ones(shapes[layout])
    if with_weight:
        inputs["weight"] = reals(generator, *shapes[layout], low=0.0, high=2.0)
        items, share = items * inputs["weight"], share * inputs["weight"]
    golden.case(f"{layout}-input{int(with_weight)}-delta{delta}", {"delta": delta}, {"prediction": prediction, **inputs}, {"huber": (items.sum(), share.sum())}, items)
golden.write()
