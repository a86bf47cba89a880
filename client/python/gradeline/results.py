"""What calls return, as plain values. No behaviour beyond reading the messages they come from."""

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional

from gradeline import wire
from gradeline.tensors import Array, from_wire


@dataclass(frozen=True)
class Component:
    """One named number of a loss: loss = numerator / what the reduction divided by."""

    loss: float
    weight: float
    numerator: float
    denominator: float


@dataclass(frozen=True)
class Result:
    """Loss and gradients of one batch; with reduction "none" the losses of the items too."""

    seq: int
    loss: float
    valid_count: int
    empty: bool
    components: Dict[str, Component]
    gradients: Dict[str, Array] = field(repr=False)
    item_losses: Optional[Array] = field(default=None, repr=False)

    @staticmethod
    def of(message: Any) -> "Result":
        """From a Result or an EvaluateLossResponse."""
        value = message.value
        components = {
            name: Component(part.loss, part.weight, part.numerator, part.denominator)
            for name, part in value.components.items()
        }
        gradients = {tensor.name: from_wire(tensor) for tensor in message.gradients}
        items = None
        if "item_losses" in message.DESCRIPTOR.fields_by_name and message.HasField("item_losses"):
            items = from_wire(message.item_losses)
        return Result(
            getattr(message, "seq", 0), value.loss, value.valid_count, value.empty, components, gradients, items
        )


@dataclass(frozen=True)
class Epoch:
    """One sealed phase of one epoch, final."""

    attempt: int
    phase: str
    epoch: int
    complete: bool
    missing_ranks: List[int]
    loss: float
    average: float
    components: Dict[str, float]
    metrics: Dict[str, float]
    batches: int
    items: int
    refused: Dict[int, int]

    @staticmethod
    def of(message: Any) -> "Epoch":
        """From an Epoch message. Names are "head/component" and "head/metric"; short where one head has the name."""
        return Epoch(
            attempt=message.attempt,
            phase=wire.word(wire.PHASES, message.phase).lower(),
            epoch=message.epoch,
            complete=message.verdict == wire.VERDICTS["COMPLETE"],
            missing_ranks=list(message.missing_ranks),
            loss=message.loss,
            average=message.average,
            components=_named((part.head, part.component, part.value) for part in message.components),
            metrics=_named((part.head, part.metric, part.value) for part in message.metrics),
            batches=message.batches,
            items=message.items,
            refused={part.code: part.count for part in message.refused},
        )


def _named(values: Any) -> Dict[str, float]:
    listed = list(values)
    shorts = [name for _, name, _ in listed]
    return {name if shorts.count(name) == 1 else f"{head}/{name}": value for head, name, value in listed}
