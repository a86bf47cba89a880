"""Losses of regions of pixels in PyTorch, for the make_golden.py of dice, jaccard and others: one-hot targets, sums over the batch
or over each image, one score per class."""

import itertools

import torch
import torch.nn.functional as F

from golden import reals

IGNORED = 255


def batches(count, classes=3):
    """Pixels to compare on: (name, params, logits, labels): every choice of aggregate and absent_class, with and without ignored."""
    choices = itertools.product(["batch", "image"], ["skip", "count"], [False, True])
    for seed, (number, (aggregate, absent_class, ignoring)) in enumerate(itertools.product(range(count), choices)):
        generator = torch.Generator().manual_seed(seed)
        prediction = reals(generator, 3, classes, 2, 3, per_unit=100).requires_grad_()
        labels = torch.randint(0, classes, (3, 2, 3), generator=generator)
        labels[0] = labels[0].clamp(max=classes - 2)  # the last class is absent from the first image
        if seed % 3 == 0:
            labels = labels.clamp(max=classes - 2)  # and here from all
        params = {"aggregate": aggregate, "absent_class": absent_class, "ignore_index": IGNORED}
        if ignoring:
            labels.view(-1)[1::5] = IGNORED
        yield f"{number}-{aggregate}-{absent_class}-ignored{int(ignoring)}", params, prediction, labels


def overlaps(prediction, labels, params):
    """(intersection, predicted area, true area), each [regions, classes]."""
    classes = prediction.shape[1]
    valid = (labels != IGNORED).unsqueeze(1).to(prediction.dtype)
    truth = F.one_hot(torch.where(labels == IGNORED, 0, labels), classes).permute(0, 3, 1, 2) * valid
    probability = prediction.softmax(1) * valid
    axes = (2, 3) if params["aggregate"] == "image" else (0, 2, 3)
    sums = [(probability * truth).sum(axes), probability.sum(axes), truth.sum(axes)]
    return [s if s.dim() == 2 else s.unsqueeze(0) for s in sums]


def mean_of_classes(losses, true_area, params, weights=None):
    """Mean over the classes of each region, then over regions."""
    weight = torch.ones_like(losses) if weights is None else torch.tensor(weights).expand_as(losses)
    if params["absent_class"] == "skip":
        weight = weight * (true_area > 0)
    return ((losses * weight).sum(1) / weight.sum(1)).mean()


def cross_entropy(prediction, labels, weights=None):
    """(numerator, denominator)."""
    weight = torch.ones(prediction.shape[1]) if weights is None else torch.tensor(weights)
    items = F.cross_entropy(prediction, labels, weight=weight, ignore_index=IGNORED, reduction="sum")
    return items, weight[labels[labels != IGNORED]].sum()
