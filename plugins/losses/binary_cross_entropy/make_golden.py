#!/usr/bin/python3
"""PyTorch's binary cross-entropy for every combination of parameters. Ignored labels and an input weight in the denominator, which
PyTorch has not, are composed of its losses of the items."""

import itertools
import pathlib
import sys

import torch
import torch.nn.functional as F

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
from golden import Golden, reals

golden = Golden(__file__, f"PyTorch {torch.__version__}, F.binary_cross_entropy_with_logits")
shapes = {"binary": (6,), "multilabel": (3, 4), "pixel-binary": (2, 2, 3), "pixel-multilabel": (2, 3, 2, 2)}
hard = itertools.product(shapes, ["label"], ["off", "one", "classes"], [None, 255], [False, True])
soft = itertools.product(shapes, ["soft"], ["off", "one", "classes"], [None], [False, True])
for seed, (signal, kind, positive, ignore, with_weight) in enumerate(itertools.chain(hard, soft)):
    if positive == "classes" and signal in ("binary", "pixel-binary"):
        continue
    generator = torch.Generator().manual_seed(1000 + seed)
    shape = shapes[signal]
    prediction = reals(generator, *shape, per_unit=100).requires_grad_()
    params, pos_weight = {}, None
    if positive == "one":
        params["pos_weight"] = [3.0]
        pos_weight = torch.tensor(3.0)
    elif positive == "classes":
        params["pos_weight"] = [0.5, 1.0, 2.5, 4.0][: shape[1]]
        pos_weight = torch.tensor(params["pos_weight"]).reshape(-1, *([1] * (len(shape) - 2)))
    if kind == "label":
        target = torch.randint(0, 2, shape, generator=generator)
        index = -100 if ignore is None else ignore
        target.view(-1)[1::4] = index
        if ignore is not None:
            params["ignore_index"] = ignore
        valid = (target != index).to(torch.float64)
    else:
        target = reals(generator, *shape, low=0.0, high=1.0, per_unit=100)
        valid = torch.ones(shape)
    truth = torch.where(valid == 1, target, 0).to(torch.float64)
    items = valid * F.binary_cross_entropy_with_logits(prediction, truth, pos_weight=pos_weight, reduction="none")
    inputs = {"target": target}
    share = valid
    if with_weight:
        inputs["weight"] = reals(generator, *shape, low=0.0, high=2.0, per_unit=100)
        items, share = items * inputs["weight"], share * inputs["weight"]
    name = f"{signal}-{kind}-pos_weight_{positive}-ignore{ignore}-input{int(with_weight)}"
    golden.case(name, params, {"prediction": prediction, **inputs}, {"binary_cross_entropy": (items.sum(), share.sum())}, items)
golden.write()
