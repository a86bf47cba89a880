#!/usr/bin/python3
"""torchvision's overlap losses and PyTorch's smooth L1, for every format and relation of boxes.

torchvision adds eps 1e-7 to every divisor (complete_box_iou_loss takes no other), so the cases ask for that. An input weight,
which neither has, multiplies the denominator too.
"""

import itertools
import pathlib
import sys

import torch
import torch.nn.functional as F
import torchvision
from torchvision.ops import box_convert, complete_box_iou_loss, distance_box_iou_loss, generalized_box_iou_loss

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
from golden import Golden, reals

LOSSES = {"giou": generalized_box_iou_loss, "diou": distance_box_iou_loss, "ciou": complete_box_iou_loss}
golden = Golden(__file__, f"torchvision {torchvision.__version__}, PyTorch {torch.__version__}")


def emit(name, params, prediction, target, items, weight):
    inputs = {"prediction": prediction, "target": target}
    share = torch.ones(len(items))
    if weight is not None:
        inputs["weight"] = weight
        items, share = items * weight, share * weight
    golden.case(name, params, inputs, {"bounding_box_regression": (items.sum(), share.sum())}, items)


def boxes(generator, count, low, high):
    corner = reals(generator, count, 2, low=low, high=high)
    return torch.cat([corner, corner + reals(generator, count, 2, low=(high - low) / 8, high=(high - low) / 2)], 1)


def relations(generator):
    """Boxes to each relation: equal, nested, one common edge, touching, far apart, and as they come; pixels and normalised."""
    here = boxes(generator, 6, 0.0, 64.0)
    there = boxes(generator, 6, 0.0, 64.0)
    there[0] = here[0]
    there[1] = here[1] + torch.tensor([1.0, 2.0, -1.0, -0.5])
    there[2] = here[2] + torch.tensor([0.0, 1.0, 2.0, 0.0])
    there[3] = here[3] + (here[3, 2] - here[3, 0]) * torch.tensor([1.0, 0.0, 1.0, 0.0])
    there[4] = here[4] + 100
    yield "pixels", here, there
    yield "unit", boxes(generator, 5, 0.0, 1.0), boxes(generator, 5, 0.0, 1.0)


seed = 0
for (kind, loss), fmt, with_weight in itertools.product(LOSSES.items(), ["xyxy", "xywh", "cxcywh"], [False, True]):
    if with_weight and fmt != "xywh":
        continue
    generator = torch.Generator().manual_seed(seed)
    for layout, here, there in relations(generator):
        prediction = box_convert(here, "xyxy", fmt).clone().requires_grad_()
        target = box_convert(there, "xyxy", fmt)
        items = loss(box_convert(prediction, fmt, "xyxy"), box_convert(target, fmt, "xyxy"), reduction="none", eps=1e-7)
        weight = reals(generator, len(here), low=0.0, high=2.0) if with_weight else None
        params = {"type": kind, "format": fmt, "eps": 1e-7}
        emit(f"{kind}-{fmt}-{layout}-input{int(with_weight)}", params, prediction, target, items, weight)
    seed += 1
for beta, with_weight in itertools.product([None, 1.0, 1 / 9, 0.0], [False, True]):
    generator = torch.Generator().manual_seed(100 + seed)
    prediction, target = reals(generator, 5, 4).requires_grad_(), reals(generator, 5, 4)
    if beta is None:
        items, params = F.l1_loss(prediction, target, reduction="none").sum(1), {"type": "l1"}
    else:
        items, params = F.smooth_l1_loss(prediction, target, reduction="none", beta=beta).sum(1), {"beta": beta}
    weight = reals(generator, 5, low=0.0, high=2.0) if with_weight else None
    emit(f"numbers-beta{beta}-input{int(with_weight)}", params, prediction, target, items, weight)
    seed += 1
golden.write()
