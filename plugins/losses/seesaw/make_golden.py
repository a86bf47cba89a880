#!/usr/bin/python3
"""The formulas of the authors' code (mmdetection, seesaw_ce_loss) with PyTorch's derivatives; the probabilities in the factors are detached,
as there. Ignored labels are ours."""

import itertools
import pathlib
import sys

import torch
import torch.nn.functional as F

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
from golden import Golden, reals

golden = Golden(__file__, f"mmdetection seesaw_ce_loss on PyTorch {torch.__version__}")
settings = [{}, {"p": 0.0}, {"q": 0.0}, {"p": 0.0, "q": 0.0}, {"p": 1.5, "q": 0.5}, {"eps": 0.25}]
for seed, (params, with_weight) in enumerate(itertools.product(settings, [False, True])):
    generator = torch.Generator().manual_seed(3800 + seed)
    prediction = reals(generator, 6, 5).requires_grad_()
    target = torch.randint(0, 5, (6,), generator=generator)
    target[1] = -100
    counts = torch.tensor([1.0, 7.0, 120.0, 15.0, 3.0])
    label = target.clamp(min=0)
    ratio = (counts[None, :] / counts[:, None])[label]
    mitigation = torch.where(ratio < 1, ratio.pow(params.get("p", 0.8)), 1.0)
    scores = F.softmax(prediction.detach(), dim=1)
    excess = scores / scores.gather(1, label[:, None]).clamp(min=params.get("eps", 0.01))
    compensation = torch.where(excess > 1, excess.pow(params.get("q", 2.0)), 1.0)
    logits = prediction + (mitigation * compensation).log() * (1 - F.one_hot(label, 5))
    items = F.cross_entropy(logits, target, reduction="none")
    inputs, share = {"target": target, "class_counts": counts}, (target >= 0).to(torch.float64)
    if with_weight:
        inputs["weight"] = reals(generator, 6, low=0.0, high=2.0)
        items, share = items * inputs["weight"], share * inputs["weight"]
    name = "-".join([f"input{int(with_weight)}", *(f"{key}{value}" for key, value in params.items())])
    golden.case(name, params, {"prediction": prediction, **inputs}, {"seesaw": (items.sum(), share.sum())}, items)
golden.write()
