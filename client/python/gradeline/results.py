"""What calls return, as plain values. No behaviour beyond reading the messages they come from."""

import math
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
    """Loss and gradients of one batch; with reduction "none" the losses of the items too.

    loss: the sum of weight x loss over the components; average: their mean.
    """

    seq: int
    loss: float
    valid_count: int
    empty: bool
    components: Dict[str, Component]
    gradients: Dict[str, Array] = field(repr=False)
    item_losses: Optional[Array] = field(default=None, repr=False)
    average: float = 0.0

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
            seq=getattr(message, "seq", 0),
            loss=value.loss,
            valid_count=value.valid_count,
            empty=value.empty,
            components=components,
            gradients=gradients,
            item_losses=items,
            average=value.average,
        )


@dataclass(frozen=True)
class Directive:
    """What a seal told the ranks to do next. best_epoch: of the monitored measure; None without early stopping.
    learning_rate, momentum: of the next epoch; None where another phase's seal decides, or nothing cycles it."""

    stop: bool
    learning_rate: Optional[float]
    best_epoch: Optional[int]
    best_value: float
    stale_epochs: int
    momentum: Optional[float] = None


@dataclass(frozen=True)
class RefusedBatch:
    """The first batch of a phase that was refused. item: within the batch, if the refusal named one."""

    rank: int
    step: int
    head: str
    part: int
    code: int
    reason: str
    component: str
    item: Optional[int]


@dataclass(frozen=True)
class Epoch:
    """One sealed phase of one epoch, final. metrics: NaN where one is not defined, so that it is not taken for 0."""

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
    first_refused: Optional[RefusedBatch] = None
    directive: Optional[Directive] = None

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
            metrics=_named(
                (part.head, part.metric, part.value if part.count else math.nan) for part in message.metrics
            ),
            batches=message.batches,
            items=message.items,
            refused={part.code: part.count for part in message.refused},
            first_refused=_refused_batch(message.first_refused) if message.HasField("first_refused") else None,
            directive=_directive(message.directive) if message.HasField("directive") else None,
        )


def _directive(message: Any) -> Directive:
    best, rate, momentum = (
        getattr(message, field) if message.HasField(field) else None
        for field in ("best_epoch", "learning_rate", "momentum")
    )
    return Directive(message.stop, rate, best, message.best_value, message.stale_epochs, momentum)


def _refused_batch(message: Any) -> RefusedBatch:
    return RefusedBatch(
        message.rank,
        message.step,
        message.head,
        message.part,
        message.code,
        message.reason,
        message.component,
        message.item if message.HasField("item") else None,
    )


def _named(values: Any) -> Dict[str, float]:
    listed = list(values)
    shorts = [name for _, name, _ in listed]
    return {name if shorts.count(name) == 1 else f"{head}/{name}": value for head, name, value in listed}
