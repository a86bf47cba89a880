"""PyTorch adapter: a loss whose value and gradient come from the server.

    loss = gradeline.torch.Loss(worker)
    with worker.phase("train", epoch) as train:
        for images, labels in loader:
            loss(model(images), labels).backward()
            optimiser.step(); optimiser.zero_grad()

The experiment's solver and its learning rate: optimiser and set_rate, in solvers.py.

Computes nothing but denominators; sums of several heads' losses are the trainer's.
"""

from typing import Any, Dict, Optional, Sequence, Tuple

import numpy as np
import torch
import torch.distributed as dist

from gradeline import wire
from gradeline.client import Client
from gradeline.denominators import denominators
from gradeline.errors import GradelineError, Refused
from gradeline.results import Result
from gradeline.solvers import Lion, optimiser, set_rate
from gradeline.tensors import Array
from gradeline.worker import Worker

__all__ = ["Lion", "Loss", "optimiser", "set_rate"]

_GIVEN = wire.REDUCTIONS["GIVEN"]
_MEANS = (wire.REDUCTIONS["MEAN"], wire.REDUCTIONS["MEAN_ALL"], _GIVEN)
_NOTHING_COUNTS = 1e300  # divides by so much that nothing is left; the wire allows no normaliser of 0


class Loss(torch.nn.Module):
    """The loss of one head of the experiment that `worker` has joined.

    loss(prediction, target, weight=...) sends one batch of the worker's current phase and returns a scalar; its
    backward pass gives the server's gradient times the upstream one. No gradient is asked for where autograd wants none
    (no_grad). float16 and bfloat16 are sent as float32, and the loss is float32: their gradients are narrowed last,
    after the upstream factor, so that a GradScaler's factor keeps them in range.

    Several ranks (rank_mean GLOBAL, the default of experiments): before a batch with gradient is sent, the ranks of
    `process_group` add up their denominators, so each must call the loss equally often, and each divides by the mean.
    DistributedDataParallel's average over ranks is then exactly loss and gradient of the whole batch, and so is that of
    the values returned. Only an aggregate component (Dice), which nothing divides, is averaged: the mean over ranks of
    what each has for its own part of the batch. With reduction SUM both are the sum over ranks. With PER_RANK each
    rank divides by its own denominator.

    A batch that is refused raises Refused. With the experiment's non_finite SKIP one with NaN or Inf gives loss 0 and
    gradient 0 instead, and last_result.empty is true, so that ranks that train together stay together. Where NaN came
    out of the model's own layers, 0 times NaN is NaN again: then do not step.

    head            may be left out when the experiment has one
    process_group   the ranks that share a batch; the default group unless given
    last_result     the newest gradeline.Result
    """

    def __init__(self, worker: Worker, head: Optional[str] = None, process_group: Any = None) -> None:
        super().__init__()
        heads = {name: inputs for name, inputs in worker.heads.items() if inputs.head.loss}
        if head is None and len(heads) == 1:
            head = next(iter(heads))
        if head not in heads:
            raise GradelineError("NOT_FOUND", f'head: "{head or ""}"; the experiment has {", ".join(sorted(heads))}')
        self.head = head
        self.last_result: Optional[Result] = None
        self._worker, self._group = worker, process_group
        self._client = Client(worker.address)
        self._resolved = heads[head].head
        self._skips = worker.experiment.training.non_finite == wire.NON_FINITE["SKIP"]
        self._global = worker.experiment.training.rank_mean != wire.RANK_MEANS["PER_RANK"]

    def forward(
        self,
        prediction: torch.Tensor,
        target: torch.Tensor,
        normaliser: Optional[Sequence[float]] = None,
        **inputs: torch.Tensor,
    ) -> torch.Tensor:
        """inputs: further tensors by name ("weight"). normaliser: this rank's, one per component, for losses whose
        denominator is given."""
        tensors: Dict[str, torch.Tensor] = {"prediction": prediction, "target": target, **inputs}
        if not torch.is_grad_enabled():
            return self._call(tensors, normaliser, False)[0]
        return _ServerLoss.apply(self, normaliser, tuple(tensors), *tensors.values())

    def _call(
        self, tensors: Dict[str, torch.Tensor], normaliser: Optional[Sequence[float]], gradient: bool
    ) -> Tuple[torch.Tensor, Result]:
        phase = self._worker.open_phase()
        arrays = {name: _to_array(tensor) for name, tensor in tensors.items()}
        scale = 1
        if gradient and self._global and self._ranks() > 1:
            normaliser, scale = self._over_ranks(arrays, normaliser)
        step, part = phase.next_key(self.head)
        try:
            result = self._worker.batch(
                phase.name,
                phase.epoch,
                step,
                self.head,
                arrays,
                part=part,
                normalisers=normaliser,
                gradient_scale=scale if scale != 1 else None,
                gradient=gradient,
            )
        except Refused as refused:
            if not (self._skips and refused.recorded and refused.reason == "NOT_FINITE"):
                raise
            zeros = {name: np.zeros_like(array) for name, array in arrays.items()}
            result = Result(refused.seq, 0.0, 0, True, {}, zeros)
        self.last_result = result
        prediction = tensors["prediction"]
        exact = torch.float64 if prediction.dtype == torch.float64 else torch.float32
        return torch.tensor(result.loss * scale, dtype=exact, device=prediction.device), result

    def _ranks(self) -> int:
        if not (dist.is_available() and dist.is_initialized()):
            return 1
        return dist.get_world_size(self._group)

    def _over_ranks(
        self, arrays: Dict[str, Array], normaliser: Optional[Sequence[float]]
    ) -> Tuple[Optional[Sequence[float]], int]:
        """Normaliser and factor with which the average over ranks is what the whole batch comes to."""
        ranks = self._ranks()
        if self._resolved.reduction not in _MEANS:
            return normaliser, ranks
        own = list(normaliser) if normaliser is not None else denominators(self._resolved, arrays, self._client)
        # What is not finite comes from a batch that is refused: it adds nothing, and must not spoil the others' share.
        total = torch.nan_to_num(torch.tensor(own, dtype=torch.float64), nan=0.0, posinf=0.0, neginf=0.0)
        dist.all_reduce(total, group=self._group)
        # Divided by the ranks here, and no factor: the server leaves aggregates as they are whatever the normaliser.
        mean = total / ranks
        if self._resolved.reduction != _GIVEN:
            mean[total == 0] = _NOTHING_COUNTS
        return mean.tolist(), 1


class _ServerLoss(torch.autograd.Function):
    """Value in forward, the gradients that came with it in backward."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, loss: Loss, normaliser: Any, names: Tuple[str, ...], *tensors: torch.Tensor
    ) -> torch.Tensor:
        wanted = ctx.needs_input_grad[3:]
        value, result = loss._call(dict(zip(names, tensors)), normaliser, any(wanted))
        gradients = []
        for name, tensor, want in zip(names, tensors, wanted):
            if want and name not in result.gradients:
                raise GradelineError("INVALID_ARGUMENT", f"{name}: the loss has no gradient for it; detach it")
            gradients.append(torch.from_numpy(result.gradients[name]).to(tensor.device) if want else None)
        ctx.save_for_backward(*gradients)
        ctx.types = [tensor.dtype for tensor in tensors]
        return value

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, upstream: torch.Tensor) -> Any:  # type: ignore[override]
        typed = zip(ctx.saved_tensors, ctx.types)
        scaled = [None if gradient is None else (gradient * upstream).to(dtype) for gradient, dtype in typed]
        return (None, None, None, *scaled)


def _to_array(tensor: torch.Tensor) -> Array:
    plain = tensor.detach()
    if plain.dtype in (torch.float16, torch.bfloat16):
        plain = plain.float()
    return plain.cpu().contiguous().numpy()
