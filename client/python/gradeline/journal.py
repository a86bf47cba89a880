"""What one rank has sent and what became of it: sequence numbers, answers, commits, and what to send again.

Pure bookkeeping, not thread-safe: no connection, no clock. The worker guards it with its lock.
"""

import itertools
from collections import OrderedDict
from concurrent.futures import Future
from typing import Any, Dict, Iterator, List, Optional, Tuple

from gradeline import wire


class Entry:
    """One message with a seq, kept until the server has answered it and committed it."""

    def __init__(self, seq: int, kind: str, request: Any) -> None:
        self.seq = seq
        self.kind = kind  # "batch", "end_phase" or "bye"
        self.request: Optional[Any] = request  # dropped once a Replay can take its place
        self.record: Optional[Any] = None
        self.answer: "Future[Any]" = Future()


class Journal:
    """Sequence numbers from 1 on, without gaps."""

    def __init__(self) -> None:
        self.last_seq = 0
        self.committed_seq = 0
        self.records: Dict[Tuple[int, int], int] = {}  # (phase, epoch) -> records the rank has reported
        self._entries: "OrderedDict[int, Entry]" = OrderedDict()
        self._unanswered_batches = 0

    @property
    def unanswered(self) -> int:
        """Batches that have no answer."""
        return self._unanswered_batches

    @property
    def uncommitted(self) -> int:
        """Numbers given out that are not known to be durable."""
        return self.last_seq - self.committed_seq

    def add(self, kind: str, request: Any) -> Entry:
        """Numbers a TrainRequest and keeps it."""
        self.last_seq += 1
        getattr(request, kind).seq = self.last_seq
        entry = self._entries[self.last_seq] = Entry(self.last_seq, kind, request)
        self._unanswered_batches += kind == "batch"
        return entry

    def answered(self, seq: int, record: Optional[Any]) -> Optional[Entry]:
        """A batch's answer came. None: it had one already, or is unknown. A refusal without record keeps its request,
        since only the whole batch can fill its place in the sequence."""
        entry = self._entries.get(seq)
        if entry is None or entry.kind != "batch":
            return None
        first = not entry.answer.done()
        self._unanswered_batches -= first
        if record is not None and entry.record is None:
            entry.record, entry.request = record, None
            key = (record.key.phase, record.key.epoch)
            self.records[key] = self.records.get(key, 0) + 1
        if seq <= self.committed_seq:
            del self._entries[seq]
        return entry if first else None

    def ended(self, phase: int, epoch: int) -> List[Entry]:
        """Forgets the phase ends that a seal answers, and returns them."""
        ends = [entry for entry in self._entries.values() if entry.kind == "end_phase"]
        found = [e for e in ends if (e.request.end_phase.phase, e.request.end_phase.epoch) == (phase, epoch)]
        for entry in found:
            if entry.seq <= self.committed_seq:
                del self._entries[entry.seq]
        return found

    def committed(self, seq: int) -> None:
        """Everything up to seq is durable: what also has its answer is forgotten."""
        self.committed_seq = max(self.committed_seq, seq)
        for entry in list(self._until(self.committed_seq)):
            if entry.kind == "bye" or entry.record is not None or entry.answer.done():
                del self._entries[entry.seq]

    def _until(self, seq: int) -> Iterator[Entry]:
        return itertools.takewhile(lambda entry: entry.seq <= seq, self._entries.values())

    def to_resend(self) -> List[Any]:
        """The requests of a new stream, in seq order: what has no answer whole, even if it is durable by now; a Replay
        for what has one. Phase ends and the goodbye are not sent again once durable: their answers come unasked."""
        requests = []
        for entry in self._entries.values():
            if entry.record is not None:
                request = wire.TrainRequest()
                request.replay.record.CopyFrom(entry.record)
                requests.append(request)
            elif entry.kind == "batch" or entry.seq > self.committed_seq:
                requests.append(entry.request)
        return requests

    def fail(self, error: BaseException) -> None:
        """Answers everything that waits with an error."""
        for entry in self._entries.values():
            if not entry.answer.done():
                entry.answer.set_exception(error)
        self._entries.clear()
        self._unanswered_batches = 0
