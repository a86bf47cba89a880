#!/usr/bin/python3
"""Losses of torchvision's IoU, by the formulas of mmdetection's IoULoss, for every mode and format.

Its absolute eps in the union and its clamp of the linear and square modes are left out, as in Gradeline.
"""

import itertools
import pathlib
import sys

import torch
import torchvision
from torchvision.ops import box_convert, box_iou

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
from golden import Golden, reals

LOSSES = {
    "log": lambda iou: -iou.clamp(min=1e-6).log(),
    "linear": lambda iou: 1 - iou,
    "square": lambda iou: 1 - iou**2,
}
golden = Golden(__file__, f"torchvision {torchvision.__version__}, box_iou")


def boxes(generator, count):
    corner = reals(generator, count, 2, low=0.0, high=32.0)
    return torch.cat([corner, corner + reals(generator, count, 2, low=8.0, high=32.0)], 1)


for seed, ((mode, loss), fmt, with_weight) in enumerate(
    itertools.product(LOSSES.items(), ["xyxy", "xywh", "cxcywh"], [False, True])
):
    generator = torch.Generator().manual_seed(seed)
    here, there = boxes(generator, 6), boxes(generator, 6)
    there[0] = here[0] + torch.tensor([1.0, 2.0, -1.0, -0.5])
    there[1] = here[1] + 100
    prediction, target = box_convert(here, "xyxy", fmt).clone().requires_grad_(), box_convert(there, "xyxy", fmt)
    items = loss(box_iou(box_convert(prediction, fmt, "xyxy"), box_convert(target, fmt, "xyxy")).diagonal())
    inputs, share = {"prediction": prediction, "target": target}, torch.ones(6)
    if with_weight:
        inputs["weight"] = reals(generator, 6, low=0.0, high=2.0)
        items, share = items * inputs["weight"], share * inputs["weight"]
    name = f"{mode}-{fmt}-input{int(with_weight)}"
    golden.case(name, {"mode": mode, "format": fmt}, inputs, {"iou": (items.sum(), share.sum())}, items)
golden.write()
