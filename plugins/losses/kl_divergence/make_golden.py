#!/usr/bin/python3
"""PyTorch's divergence. An input weight, which PyTorch has not, multiplies the denominator too."""

import itertools
import pathlib
import sys

import torch
import torch.nn.functional as F

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
from golden import Golden, reals

golden = Golden(__file__, f"PyTorch {torch.__version__}, F.kl_div of F.log_softmax")
layouts = {"rows": (5, 3), "pixels": (2, 3, 2, 2)}
for seed, (layout, zeros, with_weight) in enumerate(itertools.product(layouts, [False, True], [False, True])):
    generator = torch.Generator().manual_seed(3600 + seed)
    shape = layouts[layout]
    prediction = reals(generator, *shape).requires_grad_()
    target = torch.softmax(reals(generator, *shape), 1)
    if zeros:
        target[:, 1] = 0
        target = target / target.sum(1, keepdim=True)
    items = F.kl_div(F.log_softmax(prediction, 1), target, reduction="none").sum(1)
    inputs, share = {"target": target}, torch.ones(items.shape)
    if with_weight:
        inputs["weight"] = reals(generator, *items.shape, low=0.0, high=2.0)
        items, share = items * inputs["weight"], share * inputs["weight"]
    elif layout == "rows":
        batchmean = F.kl_div(F.log_softmax(prediction, 1), target, reduction="batchmean")
        assert torch.allclose(batchmean, items.sum() / share.sum(), rtol=1e-14)
    name = f"{layout}-zeros{int(zeros)}-input{int(with_weight)}"
    golden.case(name, {}, {"prediction": prediction, **inputs}, {"kl_divergence": (items.sum(), share.sum())}, items)
golden.write()
