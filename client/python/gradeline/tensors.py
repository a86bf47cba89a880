"""numpy arrays to and from the wire's tensors. Knows no framework; bfloat16, which numpy lacks, travels as its bits."""

from typing import Any, NamedTuple, Union

import numpy as np

from gradeline import wire


class BFloat16(NamedTuple):
    """A bfloat16 array as its bits, in an int16 or uint16 array."""

    bits: np.ndarray


Array = Union[np.ndarray, BFloat16]

_KINDS = {"f4": "F32", "f8": "F64", "f2": "F16", "u1": "U8", "i4": "I32", "i8": "I64", "?": "U8"}
_TO_WIRE = {np.dtype(kind): wire.DATA_TYPES[name] for kind, name in _KINDS.items()}
_FROM_WIRE = {number: kind for kind, number in _TO_WIRE.items() if kind != np.dtype("?")}


def to_wire(name: str, array: Array) -> Any:
    """A Tensor message. Copies the elements once."""
    if isinstance(array, BFloat16):
        values, data_type = np.asarray(array.bits), wire.DATA_TYPES["BF16"]
        if values.dtype.kind not in "iu" or values.dtype.itemsize != 2:
            raise ValueError(f"{name}: bits of bfloat16 are {values.dtype}; allowed: int16, uint16")
    else:
        values = np.asarray(array)
        data_type = _TO_WIRE.get(values.dtype.newbyteorder("="))
        if data_type is None:
            allowed = ", ".join(kind.name for kind in _TO_WIRE)
            raise ValueError(f"{name}: dtype {values.dtype}; allowed: {allowed}, gradeline.BFloat16")
    little = values.dtype.newbyteorder("<")
    data = values.astype(little, copy=False).tobytes()
    return wire.Tensor(name=name, data_type=data_type, shape=values.shape, data=data)


def from_wire(tensor: Any) -> Array:
    """The array of a Tensor message: writable, and independent of the message."""
    brain = tensor.data_type == wire.DATA_TYPES["BF16"]
    kind = np.dtype("i2") if brain else _FROM_WIRE.get(tensor.data_type)
    if kind is None:
        raise ValueError(f"{tensor.name}: unknown data type {tensor.data_type}")
    array = np.frombuffer(bytearray(tensor.data), kind.newbyteorder("<")).reshape(tuple(tensor.shape))
    return BFloat16(array) if brain else array
