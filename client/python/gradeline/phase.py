"""A phase of an epoch as a context manager: numbers the batches and ends the phase."""

from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

from gradeline.results import Epoch

if TYPE_CHECKING:
    from gradeline.worker import Worker


class Phase:
    """with worker.phase("train", epoch): every loss call inside belongs to it; leaving it waits for the seal.

    Batches are numbered per head in the order of the calls. accumulation: loss calls of one head that make up one
    optimiser step. An exception inside leaves the phase open. sealed: the sealed epoch, once left.
    """

    def __init__(self, worker: "Worker", phase: str, epoch: int, accumulation: int = 1) -> None:
        if accumulation < 1:
            raise ValueError(f"accumulation: {accumulation}; allowed: 1 or more")
        self.name, self.epoch, self.accumulation = phase, epoch, accumulation
        self.sealed: Optional[Epoch] = None
        self._worker = worker
        self._calls: Dict[str, int] = {}

    def next_key(self, head: str) -> Tuple[int, int]:
        """Step and part of the head's next batch."""
        calls = self._calls.get(head, 0)
        self._calls[head] = calls + 1
        return divmod(calls, self.accumulation)

    def __enter__(self) -> "Phase":
        self._worker.enter_phase(self)
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        self._worker.enter_phase(None)
        if kind is None:
            self.sealed = self._worker.end_phase(self.name, self.epoch)
