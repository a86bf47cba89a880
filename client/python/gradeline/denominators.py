"""What a rank's batch divides by, so that ranks can add it up before the batch is sent.

For the losses named here by their own rules (numerator and divisor are in every reply, which the tests compare), so
that nothing is sent twice; for any other loss the server is asked.
"""

from typing import Any, Dict, List

import numpy as np

from gradeline import wire
from gradeline.client import Client
from gradeline.errors import GradelineError
from gradeline.tensors import Array, BFloat16, to_wire


def denominators(head: Any, arrays: Dict[str, Array], client: Client) -> List[float]:
    """One number per component of a ResolvedHead's loss, 1 of aggregates, for a batch that brings no normaliser."""
    if head.reduction == wire.REDUCTIONS["GIVEN"]:
        return [0.0] * len(head.components)  # the normaliser is missing: refused when the batch is sent
    if head.loss not in _ITEMS:
        return _asked(head, arrays, client)
    items = _ITEMS[head.loss](dict(head.params), arrays)
    if head.reduction == wire.REDUCTIONS["MEAN_ALL"]:
        return [float(items.size)]
    if "weight" in arrays:
        items = items * _real(arrays["weight"])
    return [float(items.sum(dtype=np.float64))]


def _asked(head: Any, arrays: Dict[str, Array], client: Client) -> List[float]:
    inputs = [to_wire(name, array) for name, array in arrays.items()]
    try:
        answer = client.call(
            "EvaluateLoss", loss=head.loss, params=head.params, inputs=inputs, reduction=head.reduction
        )
    except GradelineError as error:
        if error.code != "INVALID_ARGUMENT" and error.reason != "NOT_FINITE":
            raise
        # A bad batch adds nothing. The other ranks wait for this one's numbers; it is refused when it is sent.
        return [0.0] * len(head.components)
    return [answer.value.components[component].divisor for component in head.components]


def _cross_entropy(params: Dict[str, Any], arrays: Dict[str, Array]) -> np.ndarray:
    prediction, target = arrays["prediction"], arrays["target"]
    if _is_real(target):  # soft targets: every item counts 1
        shape = _shape(prediction)
        return np.ones(shape[:1] + shape[2:])
    valid = target != int(params.get("ignore_index", -100))
    weights = list(params.get("class_weights") or ())
    if not weights:
        return valid.astype(np.float64)
    known = valid & (target >= 0) & (target < len(weights))  # the server names a label out of range
    return np.where(known, np.asarray(weights)[np.where(known, target, 0)], 0.0)


def _binary_cross_entropy(params: Dict[str, Any], arrays: Dict[str, Array]) -> np.ndarray:
    target = arrays["target"]
    if _is_real(target):
        return np.ones(_shape(target))
    return (target != int(params.get("ignore_index", -100))).astype(np.float64)


def _elements(params: Dict[str, Any], arrays: Dict[str, Array]) -> np.ndarray:
    return np.ones(_shape(arrays["prediction"]))


_ITEMS = {"cross_entropy": _cross_entropy, "binary_cross_entropy": _binary_cross_entropy, "mse": _elements}


def _is_real(array: Array) -> bool:
    return isinstance(array, BFloat16) or array.dtype.kind == "f"


def _shape(array: Array) -> Any:
    return (array.bits if isinstance(array, BFloat16) else array).shape


def _real(array: Array) -> np.ndarray:
    if isinstance(array, BFloat16):
        return (np.asarray(array.bits).view(np.uint16).astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return array.astype(np.float64)
