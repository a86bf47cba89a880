#!/usr/bin/python3
"""Tversky index, written with areas."""

import pathlib
import sys

import torch

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
from golden import Golden
from regions import batches, mean_of_classes, overlaps

golden = Golden(__file__, f"PyTorch {torch.__version__}, Tversky index of one-hot targets")
variants = [{}, {"fp_weight": 0.3, "fn_weight": 0.7, "smooth": 1.0, "log_loss": True}, {"fp_weight": 1.0, "fn_weight": 0.25, "class_weights": [1.0, 2.0, 0.5]}]
for number, (name, params, prediction, labels) in enumerate(batches(len(variants))):
    more = variants[number // 8]
    params = {**params, **more}
    intersection, predicted, true = overlaps(prediction, labels, params)
    smooth, eps = more.get("smooth", 0.0), more.get("eps", 1e-7)
    wrong = more.get("fp_weight", 0.5) * (predicted - intersection) + more.get("fn_weight", 0.5) * (true - intersection)
    score = (intersection + smooth) / (intersection + wrong + smooth).clamp_min(eps)
    losses = -torch.log(score.clamp_min(eps)) if more.get("log_loss") else 1 - score
    loss = mean_of_classes(losses, true, params, more.get("class_weights"))
    golden.case(name, params, {"prediction": prediction, "target": labels}, {"tversky": (loss, torch.ones(()))})
golden.write()
