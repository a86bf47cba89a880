#!/usr/bin/python3
"""The authors' Lovász-softmax (github.com/bermanmaxim/LovaszSoftmax, pytorch/lovasz_losses.py, MIT), followed line by line in PyTorch."""

import itertools
import pathlib
import sys

import torch

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
from golden import Golden, reals


def lovasz_grad(sorted_truth):
    total = sorted_truth.sum()
    intersection = total - sorted_truth.cumsum(0)
    union = total + (1 - sorted_truth).cumsum(0)
    jaccard = 1.0 - intersection / union
    jaccard[1:] = jaccard[1:] - jaccard[:-1].clone()
    return jaccard


def flat(probabilities, labels, classes):
    losses = []
    for c in range(probabilities.shape[1]):
        truth = (labels == c).to(probabilities.dtype)
        if classes == "present" and truth.sum() == 0:
            continue
        errors, order = torch.sort((truth - probabilities[:, c]).abs(), 0, descending=True)
        losses.append(torch.dot(errors, lovasz_grad(truth[order])))
    return torch.stack(losses).mean()


golden = Golden(__file__, f"the authors' lovasz_losses.py on PyTorch {torch.__version__}")
layouts = {"pixels": (2, 3, 3, 4), "absent": (3, 5, 7)}
for seed, (layout, classes, per_image, ignore) in enumerate(
    itertools.product(layouts, ["present", "all"], [False, True], [None, 255])
):
    generator = torch.Generator().manual_seed(seed)
    shape = layouts[layout]
    prediction = reals(generator, *shape, per_unit=4096).requires_grad_()
    target = torch.randint(0, shape[1] - (layout == "absent"), shape[:1] + shape[2:], generator=generator)
    params = {"classes": classes, "per_image": per_image}
    if ignore is not None:
        target.view(-1)[1::4] = ignore
        params["ignore_index"] = ignore
    probabilities = torch.softmax(prediction, 1).flatten(2)
    groups = [(probabilities[n : n + 1], target[n : n + 1]) for n in range(shape[0])] if per_image else [(probabilities, target)]
    losses = []
    for p, t in groups:
        rows, labels = p.transpose(1, 2).reshape(-1, shape[1]), t.reshape(-1)
        valid = labels != (-100 if ignore is None else ignore)
        losses.append(flat(rows[valid], labels[valid], classes))
    loss = torch.stack(losses).mean()
    name = f"{layout}-{classes}-image{int(per_image)}-ignore{ignore}"
    golden.case(name, params, {"prediction": prediction, "target": target}, {"lovasz_softmax": (loss, torch.tensor(1.0))})
golden.write()
