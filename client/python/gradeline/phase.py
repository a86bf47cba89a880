"""A phase of an epoch as a context manager: numbers the batches and ends the phase."""

from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

from gradeline.results import Epoch

if TYPE_CHECKING:
    from gradeline.worker import Worker


class Phase:
    """with worker.phase("train", epoch): every loss call inside belongs to it; leaving it waits for the seal.

    Batches are numbered per head in the order of the calls. accumulation: loss calls of one head that make up one
    optimiser step. An exception inside leaves the phase open: entered again, it goes on with the next step, and what was
    reported before still counts. A phase that was ended cannot be entered again. sealed: the sealed epoch, once left.
    """

    def __init__(self, worker: "Worker", phase: str, epoch: int, accumulation: int = 1) -> None:
        if accumulation < 1:
            raise ValueError(f"accumulation: {accumulation}; allowed: 1 or more")
        self.name, self.epoch, self.accumulation = phase, epoch, accumulation
        self.sealed: Optional[Epoch] = None
        self._worker = worker
        self._steps = worker.steps_begun(phase, epoch)
        self._parts: Dict[str, int] = {}  # head -> parts of its newest step

    def next_key(self, head: str) -> Tuple[int, int]:
        """Step and part of the head's next batch."""
        part = self._parts.get(head, self.accumulation)
        if part == self.accumulation:  # the next step begins
            part = 0
            self._steps[head] = self._steps.get(head, 0) + 1
        self._parts[head] = part + 1
        return self._steps[head] - 1, part

    def __enter__(self) -> "Phase":
        self._worker.enter_phase(self)
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        self._worker.enter_phase(None)
        if kind is None:
            self.sealed = self._worker.end_phase(self.name, self.epoch)
