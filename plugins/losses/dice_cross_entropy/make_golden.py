#!/usr/bin/python3
"""Cross-entropy and soft Dice, by default their sum."""

import pathlib
import sys

import torch

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
from golden import Golden
from regions import batches, cross_entropy, mean_of_classes, overlaps

golden = Golden(__file__, f"PyTorch {torch.__version__}, F.cross_entropy and soft Dice of one-hot targets")
variants = [{}, {"class_weights": [1.0, 2.0, 0.5], "smooth": 1.0}, {"ce_weight": 2.0, "dice_weight": 0.25}]
for number, (name, params, prediction, labels) in enumerate(batches(len(variants))):
    more = variants[number // 8]
    params = {**params, **more}
    intersection, predicted, true = overlaps(prediction, labels, params)
    smooth = more.get("smooth", 0.0)
    score = (2 * intersection + smooth) / (predicted + true + smooth).clamp_min(1e-7)
    loss = mean_of_classes(1 - score, true, params)
    components = {
        "cross_entropy": (*cross_entropy(prediction, labels, more.get("class_weights")), more.get("ce_weight", 1.0)),
        "dice": (loss, torch.ones(()), more.get("dice_weight", 1.0)),
    }
    golden.case(name, params, {"prediction": prediction, "target": labels}, components)
golden.write()
