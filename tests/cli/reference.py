"""The losses by their definitions, in long double (80 bits): loss per item, denominator, gradient of the sum, and the
largest of the terms between which a gradient is the difference: rounding is relative to these."""

import numpy as np

X = np.longdouble


def _log_softmax(z):
    # The top class is left out of the sum: 1 + rest would round away a small rest, which is the whole loss there.
    top = z.argmax(axis=1, keepdims=True)
    shifted = z - np.take_along_axis(z, top, axis=1)
    others = np.exp(shifted)
    np.put_along_axis(others, top, X(0), axis=1)
    return shifted - np.log1p(others.sum(axis=1, keepdims=True))


def _softplus(z):
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def cross_entropy(prediction, target, weight=None, class_weights=None, ignore_index=-100, label_smoothing=0.0):
    z = prediction.astype(X)
    classes = z.shape[1]
    axes = (1, classes) + (1,) * (z.ndim - 2)
    w = np.ones(classes, X) if class_weights is None else np.asarray(class_weights, X)
    smoothing = X(label_smoothing)
    w_c = w.reshape(axes[1:]).reshape((1, classes) + (1,) * (z.ndim - 2))
    logp = _log_softmax(z)
    if target.ndim == z.ndim:  # soft
        truth = target.astype(X)
        coefficient = w_c * (truth * (1 - smoothing) + smoothing / classes)
        share = np.ones(z.shape[:1] + z.shape[2:], X)
    else:
        valid = target != ignore_index
        label = np.where(valid, target, 0).astype(np.int64)
        one_hot = (np.arange(classes).reshape((1, classes) + (1,) * (z.ndim - 2)) == label[:, None]).astype(X)
        coefficient = w_c * (one_hot * (1 - smoothing) + smoothing / classes) * valid[:, None]
        share = np.where(valid, w[label], X(0))
    factor = np.ones_like(share) if weight is None else weight.astype(X)
    coefficient = coefficient * factor[:, None]
    items = -(coefficient * logp).sum(axis=1)
    denominator = (share * factor).sum()
    # p_c sum(k) - k_c without its cancellation where p_c is nearly 1: the others' sums, each over the classes but c.
    p = np.exp(logp)
    others = 1 - np.eye(classes, dtype=X)
    pull, push = p * np.einsum("cj,rj...->rc...", others, coefficient), coefficient * np.einsum("cj,rj...->rc...", others, p)
    return items, denominator, pull - push, np.maximum(pull, push).max(initial=0)


def binary_cross_entropy(prediction, target, weight=None, pos_weight=None, ignore_index=-100):
    z = prediction.astype(X)
    positive = X(1)
    if pos_weight is not None:
        positive = np.asarray(pos_weight, X)
        if positive.size > 1:
            positive = positive.reshape((1, -1) + (1,) * (z.ndim - 2))
    hard = np.issubdtype(target.dtype, np.integer)
    valid = (target != ignore_index if hard else np.ones(z.shape, bool)).astype(X)
    truth = np.where(valid == 1, target, 0).astype(X)
    factor = valid if weight is None else valid * weight.astype(X)
    items = factor * (positive * truth * _softplus(-z) + (1 - truth) * _softplus(z))
    pull, push = factor * (1 - truth) * np.exp(-_softplus(-z)), factor * positive * truth * np.exp(-_softplus(z))
    return items, factor.sum(), pull - push, np.maximum(pull, push).max(initial=0)


def mse(prediction, target, weight=None):
    difference = prediction.astype(X) - target.astype(X)
    factor = np.ones_like(difference) if weight is None else weight.astype(X)
    gradient = 2 * factor * difference
    return factor * difference**2, factor.sum(), gradient, np.abs(gradient).max(initial=0)


LOSSES = {"cross_entropy": cross_entropy, "binary_cross_entropy": binary_cross_entropy, "mse": mse}
