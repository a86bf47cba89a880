#!/usr/bin/python3
"""Soft Jaccard with the divisor clamped to eps, as segmentation_models_pytorch writes it."""

import pathlib
import sys

import torch

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
from golden import Golden
from regions import batches, mean_of_classes, overlaps

golden = Golden(__file__, f"PyTorch {torch.__version__}, Jaccard of one-hot targets")
variants = [{}, {"smooth": 1.0, "log_loss": True}, {"class_weights": [1.0, 2.0, 0.5], "eps": 1e-3}]
for number, (name, params, prediction, labels) in enumerate(batches(len(variants))):
    more = variants[number // 8]
    params = {**params, **more}
    intersection, predicted, true = overlaps(prediction, labels, params)
    smooth, eps = more.get("smooth", 0.0), more.get("eps", 1e-7)
    score = (intersection + smooth) / (predicted + true - intersection + smooth).clamp_min(eps)
    losses = -torch.log(score.clamp_min(eps)) if more.get("log_loss") else 1 - score
    loss = mean_of_classes(losses, true, params, more.get("class_weights"))
    golden.case(name, params, {"prediction": prediction, "target": labels}, {"jaccard": (loss, torch.ones(()))})
golden.write()
