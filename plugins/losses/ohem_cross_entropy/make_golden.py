#!/usr/bin/python3
"""PyTorch's cross-entropy of the hardest items: torch.topk as detectron2's DeepLabCE, the probability rule of mmseg's OHEMPixelSampler.

Both are applied to the valid items only; mmseg's least number here holds for the batch.
"""

import itertools
import pathlib
import sys

import torch
import torch.nn.functional as F

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
from golden import Golden, reals

golden = Golden(__file__, f"F.cross_entropy and topk of PyTorch {torch.__version__}")
layouts = {"rows": (17, 3), "pixels": (2, 3, 3, 4)}
rules = [("topk", {"k": 0.3}), ("topk", {}), ("threshold", {"threshold": 0.5, "min_kept": 2})]
for seed, (layout, (mode, rule), weighted, ignore) in enumerate(itertools.product(layouts, rules, [False, True], [None, 255])):
    generator = torch.Generator().manual_seed(seed)
    shape = layouts[layout]
    prediction = reals(generator, *shape, per_unit=4096).requires_grad_()
    target = torch.randint(0, 3, shape[:1] + shape[2:], generator=generator)
    params = {"mode": mode, **rule}
    weight = None
    if weighted:
        params["class_weights"] = [1.0, 2.0, 0.5]
        weight = torch.tensor(params["class_weights"])
    if ignore is not None:
        target.view(-1)[1::4] = ignore
        params["ignore_index"] = ignore
    index = -100 if ignore is None else ignore
    losses = F.cross_entropy(prediction, target, weight=weight, ignore_index=index, reduction="none")[target != index]
    if mode == "topk":
        kept = torch.topk(losses, int(rule.get("k", 1.0) * losses.numel())).values
    else:
        p = (-F.cross_entropy(prediction, target, ignore_index=index, reduction="none")[target != index]).exp()
        bound = max(p.sort().values[min(rule["min_kept"], p.numel() - 1)], rule["threshold"])
        kept = losses[p < bound]
    name = f"{layout}-{mode}-k{rule.get('k')}-weights{int(weighted)}-ignore{ignore}"
    count = torch.tensor(float(kept.numel()))
    golden.case(name, params, {"prediction": prediction, "target": target}, {"ohem_cross_entropy": (kept.sum(), count)})
golden.write()
