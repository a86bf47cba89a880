"""What one rank has sent and what became of it: sequence numbers, answers, commits, and what to send again.

Pure bookkeeping, not thread-safe: no connection, no clock. The worker guards it with its lock.
"""

import itertools
from collections import OrderedDict
from concurrent.futures import Future
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple

from gradeline import wire


class Entry:
    """One message with a seq, kept until the server has answered it and committed it."""

    def __init__(self, kind: str, request: Any) -> None:
        self.seq = 0
        self.kind = kind  # "batch", "end_phase" or "bye"
        self.request: Optional[Any] = request  # dropped once a Replay can take its place
        self.record: Optional[Any] = None
        self.answer: "Future[Any]" = Future()


class Journal:
    """Sequence numbers from 1 on, without gaps."""

    def __init__(self) -> None:
        self.last_seq = 0
        self.committed_seq = 0
        self._reported: Dict[Tuple[int, int], Set[Tuple[int, str, int]]] = {}  # (phase, epoch) -> keys of records
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

    def records(self, phase: int, epoch: int) -> int:
        """How many records the rank has reported in a phase; one that was sent twice counts once, as in the books."""
        return len(self._reported.get((phase, epoch), ()))

    def add(self, kind: str, request: Any) -> Entry:
        """Numbers a TrainRequest and keeps it."""
        entry = Entry(kind, request)
        self._number(entry)
        self._unanswered_batches += kind == "batch"
        return entry

    def answered(self, seq: int, record: Optional[Any]) -> Optional[Entry]:
        """An answer came. None: the entry had one already, or is unknown. What was answered without a record (a conflict)
        keeps its request, since only the whole message can fill its place in the sequence."""
        entry = self._entries.get(seq)
        if entry is None:
            return None
        first = not entry.answer.done()
        self._unanswered_batches -= first and entry.kind == "batch"
        if record is not None and entry.record is None:
            entry.record, entry.request = record, None
            key = record.key
            self._reported.setdefault((key.phase, key.epoch), set()).add((key.step, key.head, key.part))
        if seq <= self.committed_seq:
            del self._entries[seq]
        return entry if first else None

    def withdrawn(self, seq: int) -> Tuple[Optional[Entry], List[Any]]:
        """It was refused and its seq is still the next one: gives the entry up and moves what follows forward.
        Returns it and the requests that were sent after it, which the server has not taken."""
        entry = self._entries.get(seq)
        if entry is None or entry.answer.done():
            return None, []
        self._unanswered_batches -= entry.kind == "batch"
        later = [self._entries.pop(number) for number in list(self._entries) if number >= seq][1:]
        self.last_seq = seq - 1
        for moved in later:
            self._renumber(moved)
        return entry, [moved.request for moved in later]

    def _number(self, entry: Entry) -> None:
        self.last_seq += 1
        entry.seq = getattr(entry.request, entry.kind).seq = self.last_seq
        self._entries[entry.seq] = entry

    def _renumber(self, entry: Entry) -> None:
        request = wire.TrainRequest()  # the old one may still be on its way out
        request.CopyFrom(entry.request)
        entry.request = request
        self._number(entry)

    def rejoined(self, committed_seq: int) -> List[Any]:
        """A new stream begins, with everything up to a seq durable: the requests to send, in seq order.

        A Replay for what has an answer, the rest whole. A batch that is durable but whose answer was lost gets a new
        number and is sent again: the server finds its record in the books, counts it once, and answers.
        Phase ends and the goodbye are not sent again once durable: their answers come unasked.
        """
        self.committed(committed_seq)
        durable = [e for e in self._until(committed_seq) if e.kind == "batch"]
        for entry in durable:
            del self._entries[entry.seq]
            self._renumber(entry)
        requests = []
        for entry in self._entries.values():
            if entry.record is not None:
                request = wire.TrainRequest()
                request.replay.record.CopyFrom(entry.record)
                requests.append(request)
            elif entry.seq > committed_seq:
                requests.append(entry.request)
        return requests

    def ended(self, phase: int, epoch: int) -> List[Entry]:
        """Forgets the phase ends that a seal answers, and returns them."""
        self._reported.pop((phase, epoch), None)
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

    def fail(self, error: BaseException) -> None:
        """Answers everything that waits with an error."""
        for entry in self._entries.values():
            if not entry.answer.done():
                entry.answer.set_exception(error)
        self._entries.clear()
        self._unanswered_batches = 0
