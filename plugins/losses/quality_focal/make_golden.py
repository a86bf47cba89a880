#!/usr/bin/python3
"""The formulas of the authors' code (mmdetection, quality_focal_loss) with PyTorch's derivatives. Ignored labels and an input weight are ours."""

import itertools
import pathlib
import sys

import torch
import torch.nn.functional as F

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
from golden import Golden, reals

golden = Golden(__file__, f"mmdetection quality_focal_loss on PyTorch {torch.__version__}")
settings = [{}, {"beta": 0.0}, {"beta": 0.5}, {"beta": 1.0}, {"beta": 2.5}, {"beta": 4.0}]
for seed, (params, with_weight) in enumerate(itertools.product(settings, [False, True])):
    generator = torch.Generator().manual_seed(3400 + seed)
    prediction = reals(generator, 6, 4).requires_grad_()
    target = torch.randint(0, 5, (6,), generator=generator)  # 4: background
    target[1] = -100
    quality = reals(generator, 6, low=0.0, high=1.0)
    score = F.one_hot(target.clamp(min=0), 5)[:, :4] * quality[:, None]
    distance = (score - torch.sigmoid(prediction)).abs()
    items = F.binary_cross_entropy_with_logits(prediction, score, reduction="none") * distance.pow(params.get("beta", 2.0))
    items, share = (items.sum(1) * (target >= 0)), (target >= 0).to(torch.float64)
    inputs = {"target": target, "quality": quality}
    if with_weight:
        inputs["weight"] = reals(generator, 6, low=0.0, high=2.0)
        items, share = items * inputs["weight"], share * inputs["weight"]
    name = "-".join([f"input{int(with_weight)}", *(f"{key}{value}" for key, value in params.items())])
    golden.case(name, params, {"prediction": prediction, **inputs}, {"quality_focal": (items.sum(), share.sum())}, items)
golden.write()
