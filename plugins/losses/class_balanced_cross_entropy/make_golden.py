#!/usr/bin/python3
"""The class-balanced weights of the paper given to PyTorch's cross-entropy."""

import itertools
import pathlib
import sys

import torch
import torch.nn.functional as F

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
from golden import Golden, reals

golden = Golden(__file__, f"F.cross_entropy with class-balanced weights, PyTorch {torch.__version__}")
layouts = {"rows": (7, 3), "pixels": (2, 3, 2, 2)}
samples = [1000.0, 10.0, 120.0]
for seed, (layout, beta, ignore) in enumerate(itertools.product(layouts, [0.999, 0.9, 0.0], [None, 255])):
    generator = torch.Generator().manual_seed(seed)
    shape = layouts[layout]
    prediction = reals(generator, *shape).requires_grad_()
    target = torch.randint(0, 3, shape[:1] + shape[2:], generator=generator)
    params = {"beta": beta, "samples_per_class": samples}
    weights = (1 - beta) / (1 - beta ** torch.tensor(samples))
    weights = weights * 3 / weights.sum()
    index = -100 if ignore is None else ignore
    if ignore is not None:
        target.view(-1)[1::4] = ignore
        params["ignore_index"] = ignore
    valid = target != index
    share = torch.where(valid, weights[torch.where(valid, target, 0)], 0.0)
    items = F.cross_entropy(prediction, target, weight=weights, ignore_index=index, reduction="none")
    inputs = {"prediction": prediction, "target": target}
    components = {"class_balanced_cross_entropy": (items.sum(), share.sum())}
    golden.case(f"{layout}-beta{beta}-ignore{ignore}", params, inputs, components, items)
golden.write()
