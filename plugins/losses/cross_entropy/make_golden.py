#!/usr/bin/python3
"""PyTorch's cross-entropy for every combination of parameters. An input weight, which PyTorch has not, multiplies the denominator too."""

import itertools
import pathlib
import sys

import torch
import torch.nn.functional as F

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
from golden import Golden, reals

golden = Golden(__file__, f"PyTorch {torch.__version__}, F.cross_entropy")
layouts = {"rows": (5, 3), "pixels": (2, 3, 2, 2)}
# An ignore_index within the classes takes that class out.
hard = itertools.product(layouts, ["hard"], [False, True], [None, 255, 1], [0.0, 0.1, 1.0], [False, True])
soft = itertools.product(layouts, ["soft"], [False, True], [None], [0.0, 0.1, 1.0], [False, True])
for seed, (layout, kind, weighted, ignore, smoothing, with_weight) in enumerate(itertools.chain(hard, soft)):
    generator = torch.Generator().manual_seed(seed)
    shape = layouts[layout]
    item_shape = shape[:1] + shape[2:]
    prediction = reals(generator, *shape, per_unit=100).requires_grad_()
    class_weights = [1.0, 2.0, 0.5] if weighted else None
    params, arguments = {}, {"label_smoothing": smoothing, "reduction": "none"}
    if weighted:
        params["class_weights"] = class_weights
        arguments["weight"] = torch.tensor(class_weights)
    if smoothing:
        params["label_smoothing"] = smoothing
    if kind == "hard":
        target = torch.randint(0, 3, item_shape, generator=generator)
        index = -100 if ignore is None else ignore
        target.view(-1)[1::4] = index
        if ignore is not None:
            params["ignore_index"] = ignore
            arguments["ignore_index"] = ignore
        valid = target != index
        weights = torch.tensor(class_weights or [1.0, 1.0, 1.0])
        share = torch.where(valid, weights[torch.where(valid, target, 0)], 0.0)
    else:
        target = reals(generator, *shape, low=0.0, high=1.0, per_unit=100)
        share = torch.ones(item_shape)
    items = F.cross_entropy(prediction, target, **arguments)
    inputs = {"target": target}
    if with_weight:
        inputs["weight"] = reals(generator, *item_shape, low=0.0, high=2.0, per_unit=100)
        items, share = items * inputs["weight"], share * inputs["weight"]
    else:
        arguments["reduction"] = "mean"
        mean = F.cross_entropy(prediction, target, **arguments)
        assert torch.allclose(mean, items.sum() / share.sum(), rtol=1e-14)
    name = f"{layout}-{kind}-weights{int(weighted)}-ignore{ignore}-smoothing{smoothing}-input{int(with_weight)}"
    golden.case(name, params, {"prediction": prediction, **inputs}, {"cross_entropy": (items.sum(), share.sum())}, items)
golden.write()
