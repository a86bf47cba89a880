#!/usr/bin/python3
"""Poly-1 as the paper's listing has it: PyTorch's cross-entropy of the items plus epsilon times 1 - p."""

import itertools
import pathlib
import sys

import torch
import torch.nn.functional as F

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
from golden import Golden, reals

golden = Golden(__file__, f"the paper's listing on F.cross_entropy of PyTorch {torch.__version__}")
layouts = {"rows": (7, 3), "pixels": (2, 3, 2, 2)}
for seed, (layout, epsilon, weighted, ignore) in enumerate(itertools.product(layouts, [1.0, -0.5], [False, True], [None, 255])):
    generator = torch.Generator().manual_seed(seed)
    shape = layouts[layout]
    prediction = reals(generator, *shape).requires_grad_()
    target = torch.randint(0, 3, shape[:1] + shape[2:], generator=generator)
    params = {"epsilon": epsilon}
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
    p = torch.softmax(prediction, 1).gather(1, named.unsqueeze(1)).squeeze(1)
    share = torch.where(valid, weights[named], 0.0)
    items = share * (F.cross_entropy(prediction, target, ignore_index=index, reduction="none") + epsilon * (1 - p))
    name = f"{layout}-epsilon{epsilon}-weights{int(weighted)}-ignore{ignore}"
    inputs = {"prediction": prediction, "target": target}
    golden.case(name, params, inputs, {"poly1_cross_entropy": (items.sum(), share.sum())}, items)
golden.write()
