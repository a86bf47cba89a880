#!/usr/bin/python3
"""Sigmoid: torchvision's sigmoid_focal_loss of one-hot targets. Softmax: (1 - p)^gamma times PyTorch's cross-entropy of the items."""

import itertools
import pathlib
import sys

import torch
import torch.nn.functional as F
import torchvision

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
from golden import Golden, reals

golden = Golden(__file__, f"torchvision {torchvision.__version__}, ops.sigmoid_focal_loss; F.cross_entropy of PyTorch {torch.__version__}")
layouts = {"rows": (7, 3), "pixels": (2, 3, 2, 2)}
rules = [("sigmoid", 2.0, -1.0), ("sigmoid", 1.5, 0.25), ("softmax", 2.0, -1.0)]
for seed, (layout, (activation, gamma, alpha), weighted, ignore) in enumerate(
    itertools.product(layouts, rules, [False, True], [None, 255])
):
    generator = torch.Generator().manual_seed(seed)
    shape = layouts[layout]
    prediction = reals(generator, *shape).requires_grad_()
    classes = 4 if activation == "sigmoid" else 3
    target = torch.randint(0, classes, shape[:1] + shape[2:], generator=generator)
    params = {"activation": activation, "gamma": gamma, "alpha": alpha}
    weights = torch.ones(3)
    if weighted:
        params["class_weights"] = [1.0, 2.0, 0.5]
        weights = torch.tensor(params["class_weights"])
    index = -100 if ignore is None else ignore
    if ignore is not None:
        target.view(-1)[1::4] = ignore
        params["ignore_index"] = ignore
    valid = target != index
    named = torch.where(valid, target, 0)
    if activation == "sigmoid":
        one_hot = F.one_hot(named, 4)[..., :3].movedim(-1, 1).double()
        losses = torchvision.ops.sigmoid_focal_loss(prediction, one_hot, alpha=alpha, gamma=gamma)
        items = (losses * weights.view(1, 3, *[1] * (len(shape) - 2))).sum(1) * valid
        count = valid.sum() * 3.0
    else:
        p = torch.softmax(prediction, 1).gather(1, named.unsqueeze(1)).squeeze(1)
        cross_entropy = F.cross_entropy(prediction, target, weight=weights, ignore_index=index, reduction="none")
        items = (1 - p) ** gamma * cross_entropy
        count = valid.sum() * 1.0
    name = f"{layout}-{activation}-gamma{gamma}-weights{int(weighted)}-ignore{ignore}"
    golden.case(name, params, {"prediction": prediction, "target": target}, {"focal": (items.sum(), count)}, items)
golden.write()
