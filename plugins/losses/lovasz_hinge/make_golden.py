#!/usr/bin/python3
"""The authors' Lovász hinge (github.com/bermanmaxim/LovaszSoftmax, pytorch/lovasz_losses.py, MIT), followed line by line in PyTorch."""

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


def flat(logits, labels):
    truth = labels.to(logits.dtype)
    errors, order = torch.sort(1.0 - logits * (2.0 * truth - 1.0), dim=0, descending=True)
    return torch.dot(torch.relu(errors), lovasz_grad(truth[order]))


golden = Golden(__file__, f"the authors' lovasz_losses.py on PyTorch {torch.__version__}")
layouts = {"images": (3, 3, 5), "background": (2, 9)}
for seed, (layout, per_image, ignore) in enumerate(itertools.product(layouts, [False, True], [None, 255])):
    generator = torch.Generator().manual_seed(seed)
    shape = layouts[layout]
    prediction = reals(generator, *shape, per_unit=4096).requires_grad_()
    target = torch.randint(0, 2 if layout == "images" else 1, shape, generator=generator)
    params = {"per_image": per_image}
    if ignore is not None:
        target.view(-1)[1::4] = ignore
        params["ignore_index"] = ignore
    logits, labels = prediction.flatten(1), target.flatten(1)
    groups = list(zip(logits, labels)) if per_image else [(logits.reshape(-1), labels.reshape(-1))]
    losses = []
    for z, t in groups:
        valid = t != (-100 if ignore is None else ignore)
        losses.append(flat(z[valid], t[valid]))
    loss = torch.stack(losses).mean()
    golden.case(
        f"{layout}-image{int(per_image)}-ignore{ignore}",
        params,
        {"prediction": prediction, "target": target},
        {"lovasz_hinge": (loss, torch.tensor(1.0))},
    )
golden.write()
