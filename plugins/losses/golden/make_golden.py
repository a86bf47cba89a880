#!/usr/bin/python3
"""Writes golden.txt: PyTorch's values of the losses in f64, for every combination of parameters.

Run with Debian's python3-torch: /usr/bin/python3 make_golden.py > golden.txt. Inputs have few digits, so that text gives them
exactly; results have all digits of a double. Where Gradeline deliberately differs from PyTorch (an input weight multiplies the
denominator too; ignored labels of binary_cross_entropy), the value is composed here of PyTorch's losses of the items.
"""

import itertools

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)

HEAD = """# Golden values of the losses, made by make_golden.py with PyTorch {version}; see there.
# case LOSS NAME begins a case. param NAME NUMBERS... ; input NAME real|label SHAPE : VALUES ; results until the next case:
# sum, denominator, mean = sum / denominator; items SHAPE : losses before any reduction; gradient of the mean by prediction.
# SHAPE is sizes with x between them.
"""


def numbers(tensor):
    return " ".join(repr(v) for v in tensor.reshape(-1).tolist())


def array(tensor):
    return "x".join(str(n) for n in tensor.shape) + " : " + numbers(tensor)


def reals(generator, *shape, low=-3.0, high=3.0):
    return torch.round((torch.rand(*shape, generator=generator) * (high - low) + low) * 100) / 100


def emit(loss, name, params, inputs, prediction, items, denominator):
    total = items.sum()
    mean = total / denominator
    (gradient,) = torch.autograd.grad(mean, prediction)
    print(f"case {loss} {name}")
    for key, value in params.items():
        print("param", key, " ".join(repr(v) for v in (value if isinstance(value, list) else [value])))
    for key, value in {"prediction": prediction.detach(), **inputs}.items():
        kind = "real" if value.is_floating_point() else "label"
        print("input", key, kind, array(value))
    print("sum", repr(total.item()))
    print("denominator", repr(denominator.item()))
    print("mean", repr(mean.item()))
    print("items", array(items.detach()))
    print("gradient", array(gradient))


def cross_entropy():
    layouts = {"rows": (5, 3), "pixels": (2, 3, 2, 2)}
    # An ignore_index within the classes takes that class out.
    hard = itertools.product(layouts, ["hard"], [False, True], [None, 255, 1], [0.0, 0.1, 1.0], [False, True])
    soft = itertools.product(layouts, ["soft"], [False, True], [None], [0.0, 0.1, 1.0], [False, True])
    for seed, (layout, kind, weighted, ignore, smoothing, with_weight) in enumerate(itertools.chain(hard, soft)):
        generator = torch.Generator().manual_seed(seed)
        shape = layouts[layout]
        item_shape = shape[:1] + shape[2:]
        prediction = reals(generator, *shape).requires_grad_()
        class_weights = [1.0, 2.0, 0.5] if weighted else None
        params, arguments = {}, {"label_smoothing": smoothing, "reduction": "none"}
        if weighted:
            params["class_weights"] = class_weights
            arguments["weight"] = torch.tensor(class_weights)
        if smoothing:
            params["label_smoothing"] = smoothing
        if kind == "hard":
            target = torch.randint(0, 3, item_shape, generator=generator)
            index = -100 if ignore is None else ignore
            target.view(-1)[1::4] = index
            if ignore is not None:
                params["ignore_index"] = ignore
                arguments["ignore_index"] = ignore
            valid = target != index
            weights = torch.tensor(class_weights or [1.0, 1.0, 1.0])
            share = torch.where(valid, weights[torch.where(valid, target, 0)], 0.0)
        else:
            target = reals(generator, *shape, low=0.0, high=1.0)
            share = torch.ones(item_shape)
        items = F.cross_entropy(prediction, target, **arguments)
        inputs = {"target": target}
        if with_weight:
            inputs["weight"] = reals(generator, *item_shape, low=0.0, high=2.0)
            items, share = items * inputs["weight"], share * inputs["weight"]
        else:
            arguments["reduction"] = "mean"
            mean = F.cross_entropy(prediction, target, **arguments)
            assert torch.allclose(mean, items.sum() / share.sum(), rtol=1e-14)
        name = f"{layout}-{kind}-weights{int(weighted)}-ignore{ignore}-smoothing{smoothing}-input{int(with_weight)}"
        emit("cross_entropy", name, params, inputs, prediction, items, share.sum())


def binary_cross_entropy():
    shapes = {"binary": (6,), "multilabel": (3, 4), "pixel-binary": (2, 2, 3), "pixel-multilabel": (2, 3, 2, 2)}
    hard = itertools.product(shapes, ["label"], ["off", "one", "classes"], [None, 255], [False, True])
    soft = itertools.product(shapes, ["soft"], ["off", "one", "classes"], [None], [False, True])
    for seed, (signal, kind, positive, ignore, with_weight) in enumerate(itertools.chain(hard, soft)):
        if positive == "classes" and signal in ("binary", "pixel-binary"):
            continue
        generator = torch.Generator().manual_seed(1000 + seed)
        shape = shapes[signal]
        prediction = reals(generator, *shape).requires_grad_()
        params, pos_weight = {}, None
        if positive == "one":
            params["pos_weight"] = [3.0]
            pos_weight = torch.tensor(3.0)
        elif positive == "classes":
            params["pos_weight"] = [0.5, 1.0, 2.5, 4.0][: shape[1]]
            pos_weight = torch.tensor(params["pos_weight"]).reshape(-1, *([1] * (len(shape) - 2)))
        if kind == "label":
            target = torch.randint(0, 2, shape, generator=generator)
            index = -100 if ignore is None else ignore
            target.view(-1)[1::4] = index
            if ignore is not None:
                params["ignore_index"] = ignore
            valid = (target != index).to(torch.float64)
        else:
            target = reals(generator, *shape, low=0.0, high=1.0)
            valid = torch.ones(shape)
        truth = torch.where(valid == 1, target, 0).to(torch.float64)
        items = valid * F.binary_cross_entropy_with_logits(prediction, truth, pos_weight=pos_weight, reduction="none")
        inputs = {"target": target}
        share = valid
        if with_weight:
            inputs["weight"] = reals(generator, *shape, low=0.0, high=2.0)
            items, share = items * inputs["weight"], share * inputs["weight"]
        name = f"{signal}-{kind}-pos_weight_{positive}-ignore{ignore}-input{int(with_weight)}"
        emit("binary_cross_entropy", name, params, inputs, prediction, items, share.sum())


def mse():
    shapes = {"rows": (5,), "columns": (3, 4), "grid": (2, 2, 3)}
    for seed, (layout, with_weight) in enumerate(itertools.product(shapes, [False, True])):
        generator = torch.Generator().manual_seed(2000 + seed)
        prediction = reals(generator, *shapes[layout]).requires_grad_()
        inputs = {"target": reals(generator, *shapes[layout])}
        items = F.mse_loss(prediction, inputs["target"], reduction="none")
        share = torch.ones(shapes[layout])
        if with_weight:
            inputs["weight"] = reals(generator, *shapes[layout], low=0.0, high=2.0)
            items, share = items * inputs["weight"], share * inputs["weight"]
        emit("mse", f"{layout}-input{int(with_weight)}", {}, inputs, prediction, items, share.sum())


if __name__ == "__main__":
    print(HEAD.format(version=torch.__version__), end="")
    cross_entropy()
    binary_cross_entropy()
    mse()
