#!/usr/bin/python3
"""PyTorch's absolute error for every layout. An input weight, which PyTorch has not, multiplies the denominator too."""

import itertools
import pathlib
import sys

import torch
import torch.nn.functional as F

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
from golden import Golden, reals

golden = Golden(__file__, f"PyTorch {torch.__version__}, F.l1_loss")
shapes = {"rows": (5,), "columns": (3, 4), "grid": (2, 2, 3)}
for seed, (layout, with_weight) in enumerate(itertools.product(shapes, [False, True])):
    generator = torch.Generator().manual_seed(3000 + seed)
    prediction = reals(generator, *shapes[layout]).requires_grad_()
    inputs = {"target": reals(generator, *shapes[layout])}
    items = F.l1_loss(prediction, inputs["target"], reduction="none")
    share = torch.ones(shapes[layout])
    if with_weight:
        inputs["weight"] = reals(generator, *shapes[layout], low=0.0, high=2.0)
        items, share = items * inputs["weight"], share * inputs["weight"]
    golden.case(f"{layout}-input{int(with_weight)}", {}, {"prediction": prediction, **inputs}, {"l1": (items.sum(), share.sum())}, items)
golden.write()
