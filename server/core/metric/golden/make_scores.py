"""Makes scores.json: what scikit-learn and torchmetrics say of scores and calibration.

In a virtual environment with scikit-learn 1.4.2, torchmetrics 1.4.0, PyTorch 1.13 and NumPy 1.24:
    python make_scores.py > scores.json
Scores of multiclass heads reach scikit-learn as softmax probabilities in double, logits as they are. Of torchmetrics'
multiclass calibration error its computation is called in double: multiclass_calibration_error narrows to float first.
"""

import json
import warnings

import numpy
import sklearn
import sklearn.metrics as reference
import torch
import torchmetrics
from torchmetrics.functional.classification import binary_calibration_error
from torchmetrics.functional.classification.calibration_error import _ce_compute

RANDOM = numpy.random.default_rng(6)
CASES = []


def tensor(name, dtype, array):
    return {"name": name, "dtype": dtype, "shape": list(array.shape), "data": array.ravel().tolist()}


def add(name, metric, signal, prediction, target, expect, params=None, dtype="f32"):
    CASES.append({"name": name, "metric": metric, "signal": signal, "params": params or {},
                  "inputs": [tensor("prediction", dtype, prediction), tensor("target", "i64", target)],
                  "expect": expect})


def softmax(scores):
    shifted = numpy.exp(scores - scores.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def drawn(shape, ties):
    scores = RANDOM.normal(0, 2, shape)
    return numpy.round(scores) if ties else numpy.round(scores * 1024) / 1024


def precision_recall_area(labels, scores):
    precision, recall, _ = reference.precision_recall_curve(labels, scores)
    return reference.auc(recall, precision)


ALONE = {"roc_auc": reference.roc_auc_score, "average_precision": reference.average_precision_score,
         "precision_recall_curve": precision_recall_area}


def defined(metric, labels):
    return labels.any() and (metric != "roc_auc" or not labels.all())


def curves(metric, questions):
    """One for each class in [(labels, scores)], as JSON."""
    made = []
    for labels, scores in questions:
        if not defined(metric, labels):
            continue
        if metric == "roc_auc":
            x, y, _ = reference.roc_curve(labels, scores, drop_intermediate=False)
        elif metric == "precision_recall_curve":
            y, x, _ = reference.precision_recall_curve(labels, scores)
            x, y = x[::-1], y[::-1]
        else:
            return []
        made.append({"x": x.tolist(), "y": y.tolist()})
    return made


def expected(metric, questions, average, multilabel=False):
    values = {str(k): float(ALONE[metric](labels, scores)) if defined(metric, labels) else None
              for k, (labels, scores) in enumerate(questions)}
    left = [k for k, value in values.items() if value is not None]
    if average == "micro":
        value = ALONE[metric](numpy.concatenate([q[0] for q in questions]), numpy.concatenate([q[1] for q in questions]))
    elif not left:
        return {"value": 0, "count": 0, "classes": values}
    else:
        weights = [questions[int(k)][0].sum() if average == "weighted" else 1 for k in left]
        value = numpy.average([values[k] for k in left], weights=weights)
    # Where scikit-learn averages itself and leaves nothing out, it is asked.
    if multilabel and len(left) == len(values) and metric != "precision_recall_curve":
        labels = numpy.stack([q[0] for q in questions], axis=1)
        scores = numpy.stack([q[1] for q in questions], axis=1)
        value = ALONE[metric](labels, scores, average=average)
    return {"value": float(value), "classes": values, "curves": curves(metric, questions)}


def binary_cases(metric):
    for ties in (False, True):
        for n in (2, 10, 60):
            scores = drawn(n, ties)
            labels = RANDOM.integers(0, 2, n)
            labels[:2] = [0, 1]
            for average in ("macro", "micro"):
                add(f"{metric} binary {n} ties {ties} {average}", metric, "binary", scores, labels,
                    expected(metric, [(labels, scores)], average), {"average": average})
    scores = drawn(8, False)
    for name, labels in (("no positives", numpy.zeros(8, int)), ("no negatives", numpy.ones(8, int))):
        add(f"{metric} {name}", metric, "binary", scores, labels, expected(metric, [(labels, scores)], "macro"))
    labels = numpy.array([0, 1, 1, 0, 1, 0, 0, 1])
    add(f"{metric} all scores the same", metric, "binary", numpy.zeros(8), labels,
        expected(metric, [(labels, numpy.zeros(8))], "macro"))
    add(f"{metric} decisions", metric, "binary", 1 - labels[::-1], labels,
        expected(metric, [(labels, 1 - labels[::-1])], "macro"), dtype="u8")
    ignored = labels.copy()
    ignored[[1, 3]] = -100
    kept = ignored != -100
    add(f"{metric} ignored", metric, "binary", scores, ignored,
        expected(metric, [(labels[kept], scores[kept])], "macro"))


def class_cases(metric):
    for ties in (False, True):
        for average in ("macro", "weighted"):
            # Equal rows have equal softmax scores, whatever computes them.
            scores, labels = drawn((7 if ties else 40, 4), False), RANDOM.integers(0, 4, 40)
            scores = scores[RANDOM.integers(0, len(scores), 40)] if ties else scores
            p = softmax(scores)
            expect = expected(metric, [((labels == k).astype(int), p[:, k]) for k in range(4)], average)
            if metric != "precision_recall_curve":
                one_hot = numpy.eye(4, dtype=int)[labels]
                whole = reference.roc_auc_score(labels, p, multi_class="ovr", average=average) if \
                     metric == "roc_auc" else reference.average_precision_score(one_hot, p, average=average)
                expect["value"] = float(whole)
            add(f"{metric} multiclass ties {ties} {average}", metric, "multiclass", scores, labels, expect,
                {"average": average})
    scores, labels = drawn((30, 5), False), RANDOM.integers(0, 3, 30)
    p = softmax(scores)
    for average in ("macro", "weighted"):
        add(f"{metric} absent classes {average}", metric, "multiclass", scores, labels,
            expected(metric, [((labels == k).astype(int), p[:, k]) for k in range(5)], average), {"average": average})
    labels = numpy.full(30, 2)
    add(f"{metric} one class", metric, "multiclass", scores, labels,
        expected(metric, [((labels == k).astype(int), p[:, k]) for k in range(5)], "macro"))


def label_cases(metric):
    for ties in (False, True):
        for average in ("macro", "weighted", "micro"):
            scores, labels = drawn((30, 4), ties), RANDOM.integers(0, 2, (30, 4))
            labels[:2] = [[0] * 4, [1] * 4]
            add(f"{metric} multilabel ties {ties} {average}", metric, "multilabel", scores, labels,
                expected(metric, [(labels[:, k], scores[:, k]) for k in range(4)], average, True), {"average": average})
    labels[:, 1] = 0
    labels[:, 2] = 1
    add(f"{metric} labels of one kind", metric, "multilabel", scores, labels,
        expected(metric, [(labels[:, k], scores[:, k]) for k in range(4)], "macro"))


def calibration_cases():
    for norm in ("l1", "l2", "max"):
        for bins in (1, 2, 10, 15, 40):
            params = {"bins": bins, "norm": norm}
            scores, labels = RANDOM.normal(0, 3, (50, 5)), RANDOM.integers(0, 5, 50)
            confidence, predicted = torch.tensor(softmax(scores)).max(dim=1)
            value = _ce_compute(confidence, predicted.eq(torch.tensor(labels)).double(), bins, norm)
            add(f"calibration multiclass {norm} {bins}", "calibration_error", "multiclass", scores, labels,
                {"value": float(value), "count": 50}, params, "f64")
            logits, labels = RANDOM.normal(0, 3, 50), RANDOM.integers(0, 2, 50)
            value = binary_calibration_error(torch.sigmoid(torch.tensor(logits)), torch.tensor(labels), n_bins=bins, norm=norm)
            add(f"calibration binary {norm} {bins}", "calibration_error", "binary", logits, labels,
                {"value": float(value), "count": 50}, params, "f64")
        labels = torch.tensor([1, 0, 1, 1, -100, 0])
        logits = torch.tensor([0.0, 0.0, 2.0, -3.0, 5.0, 30.0], dtype=torch.float64)
        value = binary_calibration_error(torch.sigmoid(logits), labels, n_bins=15, norm=norm, ignore_index=-100)
        add(f"calibration ignored {norm}", "calibration_error", "binary", logits.numpy(), labels.numpy(),
            {"value": float(value), "count": 5}, {"norm": norm}, "f64")
        # A confidence of 1 is in the last bin: torchmetrics does so with the double below 1.
        logits = torch.tensor([3.0, 3.0, 50.0, 50.0], dtype=torch.float64)
        labels = torch.tensor([1, 1, 0, 1])
        below = torch.sigmoid(logits).clamp(max=1 - 2.0**-53)
        value = binary_calibration_error(below, labels, n_bins=15, norm=norm)
        add(f"calibration certain {norm}", "calibration_error", "binary", logits.numpy(), labels.numpy(),
            {"value": float(value), "count": 4}, {"norm": norm}, "f64")


def main():
    warnings.filterwarnings("ignore")
    for metric in ALONE:
        binary_cases(metric)
        class_cases(metric)
        label_cases(metric)
    calibration_cases()
    versions = {"scikit-learn": sklearn.__version__, "torchmetrics": torchmetrics.__version__,
                "torch": torch.__version__, "numpy": numpy.__version__}
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in CASES)
    print(f'{{"versions": {json.dumps(versions)}, "cases": [\n{lines}\n]}}')


if __name__ == "__main__":
    main()
