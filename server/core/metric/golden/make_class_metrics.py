#!/usr/bin/python3
"""Metrics of classes, labels and pixels as scikit-learn and torchmetrics say. Run, in an environment with scikit-learn 1.5.2,
torchmetrics 1.4.3, PyTorch 1.13 and numpy 1.24: make_class_metrics.py; it writes class_metrics.json beside itself."""

import itertools
import json
import pathlib
import warnings

import numpy
import sklearn
import torch
import torchmetrics
from sklearn import metrics as sk
from torchmetrics import functional as tm

warnings.simplefilter("ignore")
IGNORED = 9
cases = []
random = numpy.random.default_rng(6)


def tensor(name, dtype, values):
    values = numpy.asarray(values)
    return {"name": name, "dtype": dtype, "shape": list(values.shape), "data": values.reshape(-1).tolist()}


def case(name, metric, signal, inputs, params, value=None, classes=None, matrix=None, reference=""):
    expect = {}
    if value is not None:
        expect["value"] = float(value)
    if classes is not None:
        expect["classes"] = {str(c): None if v is None else float(v) for c, v in classes.items()}
    if matrix is not None:
        expect["matrix"] = numpy.asarray(matrix, dtype=float).reshape(-1).tolist()
    cases.append({"name": f"{name} {metric} {params}", "metric": metric, "signal": signal, "inputs": inputs, "params": params,
                  "ignore_index": IGNORED, "reference": reference, "expect": expect,
                  "tolerance": 1e-6 if reference.startswith("torchmetrics") else 1e-13})


def scores_of(predicted, count):
    """Scores whose first highest is what is predicted; some higher classes have the same."""
    scores = random.integers(0, 4, (len(predicted), count))
    scores[numpy.arange(len(predicted)), predicted] = 4
    for item, right in enumerate(predicted):
        scores[item, right + 1:][random.random(count - right - 1) < 0.3] = 4
    return scores


def averages(name, signal, inputs, target, predicted, labels, several):
    """precision, recall and F-score of those of `labels` that occur."""
    def occurs(label):
        return (target[:, label] | predicted[:, label]).any() if several else ((target == label) | (predicted == label)).any()
    present = [label for label in labels if occurs(label)]
    if not present:
        return
    full = name.endswith(("scores", "rows"))  # every parameter; else the defaults
    for metric, average, zero in itertools.product(["precision", "recall", "f_score"], ["macro", "micro", "weighted"] if full else ["macro"],
                                                   [0, 1] if full else [0]):
        for beta in [1] if metric == "f_score" and not full else [0.5, 2] if metric == "f_score" and average == "macro" else [1]:
            def ask(how):
                keywords = dict(labels=present, average=how, zero_division=zero)
                if metric == "f_score":
                    return sk.fbeta_score(target, predicted, beta=beta, **keywords)
                return {"precision": sk.precision_score, "recall": sk.recall_score}[metric](target, predicted, **keywords)
            absent = {label: None for label in labels if label not in present}
            params = {"average": average, "zero_division": zero, **({"beta": beta} if metric == "f_score" else {})}
            case(name, metric, signal, inputs, params, ask(average),
                 {**absent, **dict(zip(present, ask(None)))}, reference="scikit-learn fbeta_score")


def matrix_metrics(name, signal, inputs, target, predicted, count):
    labels = list(range(count))
    for normalize in ["none", "true", "pred", "all"] if name.endswith("scores") else ["none"]:
        case(name, "confusion_matrix", signal, inputs, {"normalize": normalize}, sk.accuracy_score(target, predicted),
             matrix=sk.confusion_matrix(target, predicted, labels=labels, normalize=None if normalize == "none" else normalize),
             reference="scikit-learn confusion_matrix")
    if len(set(target) | set(predicted)) > 1:
        for weights in ["none", "linear", "quadratic"]:
            asked = None if weights == "none" else weights
            case(name, "cohen_kappa", signal, inputs, {"weights": weights},
                 sk.cohen_kappa_score(target, predicted, labels=labels, weights=asked), reference="scikit-learn cohen_kappa_score")
            case(name, "cohen_kappa", signal, inputs, {"weights": weights},
                 tm.cohen_kappa(torch.tensor(predicted), torch.tensor(target), "multiclass", num_classes=count, weights=asked),
                 reference="torchmetrics cohen_kappa")
    case(name, "matthews_correlation", signal, inputs, {}, sk.matthews_corrcoef(target, predicted), reference="scikit-learn matthews_corrcoef")
    case(name, "mean_accuracy", signal, inputs, {}, sk.balanced_accuracy_score(target, predicted), reference="scikit-learn balanced_accuracy_score")


def overlaps(name, signal, inputs, target, predicted, count):
    """IoU and Dice of all classes; torchmetrics leaves out what occurs nowhere from its mean."""
    t, p = torch.tensor(target), torch.tensor(predicted)
    occurs = [c for c in range(count) if (target == c).any() or (predicted == c).any()]
    for metric, function in [("mean_iou", tm.jaccard_index), ("dice_score", tm.f1_score)]:
        values = function(p, t, "multiclass", num_classes=count, average=None) if count > 1 else [1.0]
        mean = function(p, t, "multiclass", num_classes=count, average="macro") if count > 1 else 1.0
        case(name, metric, signal, inputs, {}, mean, {c: values[c] if c in occurs else None for c in range(count)},
             reference=f"torchmetrics {metric}")
    exact = sk.jaccard_score(target, predicted, labels=occurs, average=None)
    case(name, "mean_iou", signal, inputs, {}, exact.mean(), dict(zip(occurs, exact)), reference="scikit-learn jaccard_score")
    share = numpy.array([(target == c).mean() for c in occurs])
    case(name, "frequency_weighted_iou", signal, inputs, {}, (share * exact).sum(), dict(zip(occurs, exact)),
         reference="scikit-learn jaccard_score, weighted by the target's shares")


def multiclass():
    for name, items, count, ends, right in [("normal", 24, 4, (4, 4), 0.6), ("absent class", 20, 5, (3, 4), 0.5), ("one class", 12, 1, (1, 1), 1),
                                            ("all right", 12, 3, (3, 3), 1), ("never predicted", 16, 4, (4, 2), 0), ("one item", 1, 3, (3, 3), 0),
                                            ("one wanted", 15, 3, (1, 3), 0.3)]:
        target = random.integers(0, ends[0], items)
        predicted = numpy.where(random.random(items) < right, target, random.integers(0, ends[1], items))
        for form in ["scores", "decided", "ignored", "pixels"]:
            labels = target.copy()
            if form == "ignored":
                labels[::4] = IGNORED
            counts = labels != IGNORED
            if not counts.any():
                continue
            signal, shape = ("pixel-multiclass", (1, 1, items)) if form == "pixels" else ("multiclass", (items,))
            if form == "decided":
                prediction = tensor("prediction", "u8", predicted)
                known = int(max(predicted.max(), target.max())) + 1
            else:
                scores = scores_of(predicted, count)
                prediction = tensor("prediction", "f32", scores.T.reshape(1, count, 1, items) if form == "pixels" else scores)
                known = count
            inputs = [prediction, tensor("target", "i64", labels.reshape(shape))]
            t, p = labels[counts], predicted[counts]
            averages(f"{name}, {form}", signal, inputs, t, p, list(range(known)), False)
            if known > 1:
                matrix_metrics(f"{name}, {form}", signal, inputs, t, p, known)
            if form == "pixels":
                overlaps(f"{name}, {form}", signal, inputs, t, p, known)


def binary():
    for name, wanted, said in [("normal", 0.4, 0.5), ("no positives", 0, 0.4), ("no predictions", 0.4, 0), ("neither", 0, 0), ("all", 1, 1)]:
        items = 24
        target = (random.random(items) < wanted).astype(int)
        predicted = (random.random(items) < said).astype(int)
        labels = target.copy()
        labels[5::7] = IGNORED
        counts = labels != IGNORED
        t, p = labels[counts], predicted[counts]
        logits = numpy.where(predicted == 1, 1, -1) * random.integers(1, 9, items)
        logits[(predicted == 0) & (random.random(items) < 0.2)] = 0
        for signal, shape in [("binary", (items,)), ("pixel-binary", (2, 3, 4))]:
            inputs = [tensor("prediction", "f32", logits.reshape(shape)), tensor("target", "u8", labels.reshape(shape))]
            matrix_metrics(name, signal, inputs, t, p, 2)
            for metric, zero, ask in itertools.product(["precision", "recall", "f_score"], [0, 1], ["macro", "micro", "weighted"]):
                if signal == "pixel-binary" and ask != "macro":
                    continue
                value = {"precision": sk.precision_score, "recall": sk.recall_score, "f_score": sk.f1_score}[metric](t, p, zero_division=zero)
                case(name, metric, signal, inputs, {"average": ask, "zero_division": zero}, value, reference="scikit-learn f1_score")
            if signal == "pixel-binary" and (t | p).any():
                case(name, "mean_iou", signal, inputs, {}, sk.jaccard_score(t, p), reference="scikit-learn jaccard_score")
                case(name, "dice_score", signal, inputs, {}, sk.f1_score(t, p), reference="scikit-learn f1_score")
                case(name, "mean_iou", signal, inputs, {}, tm.jaccard_index(torch.tensor(p), torch.tensor(t), "binary"),
                     reference="torchmetrics jaccard_index")
            if len(set(t)) > 1 and len(set(p)) > 1:
                case(name, "matthews_correlation", signal, inputs, {}, tm.matthews_corrcoef(torch.tensor(p), torch.tensor(t), "binary"),
                     reference="torchmetrics matthews_corrcoef")


def multilabel():
    for name, wanted, said in [("normal", 0.4, 0.4), ("no positives", 0, 0.3), ("no predictions", 0.4, 0), ("neither", 0, 0), ("all right", 0.5, None)]:
        items, count = 14, 4
        target = (random.random((items, count)) < wanted).astype(int)
        predicted = target.copy() if said is None else (random.random((items, count)) < said).astype(int)
        target[:, 3] = 0
        if name != "no positives":
            predicted[:, 3] = 0
        logits = numpy.where(predicted == 1, 1, -1) * random.integers(1, 9, (items, count))
        for form in ["rows", "pixels"]:
            signal = "multilabel" if form == "rows" else "pixel-multilabel"
            lie = (lambda values: values) if form == "rows" else (lambda values: values.T.reshape(1, count, 2, items // 2))
            inputs = [tensor("prediction", "f32", lie(logits)), tensor("target", "u8", lie(target))]
            averages(f"{name}, {form}", signal, inputs, target, predicted, list(range(count)), True)
            occurs = [c for c in range(count) if (target[:, c] | predicted[:, c]).any()]
            if form == "pixels" and occurs:
                exact = [sk.jaccard_score(target[:, c], predicted[:, c]) for c in occurs]
                case(name, "mean_iou", signal, inputs, {}, numpy.mean(exact), dict(zip(occurs, exact)), reference="scikit-learn jaccard_score")
                exact = [sk.f1_score(target[:, c], predicted[:, c]) for c in occurs]
                case(name, "dice_score", signal, inputs, {}, numpy.mean(exact), dict(zip(occurs, exact)), reference="scikit-learn f1_score")
            if form == "rows":
                case(name, "hamming_score", signal, inputs, {}, 1 - sk.hamming_loss(target, predicted), reference="scikit-learn hamming_loss")
                case(name, "hamming_score_jaccard", signal, inputs, {}, sk.jaccard_score(target, predicted, average="samples", zero_division=1),
                     reference="scikit-learn jaccard_score")
                case(name, "subset_accuracy", signal, inputs, {}, sk.accuracy_score(target, predicted), reference="scikit-learn accuracy_score")
                case(name, "subset_accuracy", signal, inputs, {},
                     tm.classification.multilabel_exact_match(torch.tensor(predicted), torch.tensor(target), num_labels=count),
                     reference="torchmetrics multilabel_exact_match")


multiclass()
binary()
multilabel()
versions = {"scikit-learn": sklearn.__version__, "torchmetrics": torchmetrics.__version__, "torch": torch.__version__, "numpy": numpy.__version__}
path = pathlib.Path(__file__).with_name("class_metrics.json")
lines = ",\n".join(json.dumps(one, separators=(",", ":")) for one in cases)
path.write_text(f'{{"versions": {json.dumps(versions)}, "cases": [\n{lines}\n]}}\n')
print(len(cases), "cases,", path.stat().st_size, "bytes")
