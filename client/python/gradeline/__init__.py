"""Gradeline's worker SDK: stream batches to a server, get loss and gradient back.

    worker = gradeline.connect().join()
    with worker.phase("train", epoch=0):
        result = worker.batch("train", 0, step=0, head="classification", inputs={"prediction": p, "target": t})

Nothing is opened at import. The PyTorch adapter is gradeline.torch, imported by those who use it.
"""

from gradeline.client import Client, connect
from gradeline.errors import GradelineError, Refused, Stopped, Violation
from gradeline.phase import Phase
from gradeline.results import Component, Directive, Epoch, RefusedBatch, Result
from gradeline.tensors import BFloat16
from gradeline.worker import Worker

__all__ = [
    "BFloat16",
    "Client",
    "Component",
    "Directive",
    "Epoch",
    "GradelineError",
    "Phase",
    "Refused",
    "RefusedBatch",
    "Result",
    "Stopped",
    "Violation",
    "Worker",
    "connect",
]
