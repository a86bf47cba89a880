#!/usr/bin/python3
"""Focal Tversky, the power of each class or of the mean of a region."""

import pathlib
import sys

import torch

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
from golden import Golden
from regions import batches, mean_of_classes, overlaps

golden = Golden(__file__, f"PyTorch {torch.__version__}, powers of the Tversky index of one-hot targets")
variants = [{}, {"fp_weight": 0.3, "fn_weight": 0.7, "power_of": "mean"}, {"gamma": 2.0, "smooth": 1.0, "class_weights": [1.0, 2.0, 0.5]},
            {"gamma": 4 / 3, "power_of": "mean", "smooth": 1.0}]
for number, (name, params, prediction, labels) in enumerate(batches(len(variants))):
    more = variants[number // 8]
    params = {**params, **more}
    intersection, predicted, true = overlaps(prediction, labels, params)
    smooth, eps = more.get("smooth", 0.0), more.get("eps", 1e-7)
    wrong = more.get("fp_weight", 0.5) * (predicted - intersection) + more.get("fn_weight", 0.5) * (true - intersection)
    score = (intersection + smooth) / (intersection + wrong + smooth).clamp_min(eps)
    gamma = more.get("gamma", 0.75)
    if more.get("power_of") == "mean":
        regions = [mean_of_classes(1 - score[r : r + 1], true[r : r + 1], params) for r in range(len(score))]
        loss = torch.stack(regions).pow(gamma).mean()
    else:
        loss = mean_of_classes((1 - score).pow(gamma), true, params, more.get("class_weights"))
    golden.case(name, params, {"prediction": prediction, "target": labels}, {"focal_tversky": (loss, torch.ones(()))})
golden.write()
