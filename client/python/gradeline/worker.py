"""One rank of an attempt, as a trainer sees it: sends batches, gets losses and gradients back, ends phases.

Lost connections are link.py's: every record counts once, what was lost on the way is sent again, what was answered is
replayed (docs/protocol.md).
"""

import contextlib
from concurrent.futures import Future
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from gradeline import wire
from gradeline.errors import GradelineError, Refused, Violation
from gradeline.link import Link
from gradeline.phase import Phase
from gradeline.results import Epoch, Result
from gradeline.tensors import Array, to_wire


class Worker(Link):
    """A joined rank. Made by Client.join; thread-safe. Belongs to the process that made it.

    experiment  the Experiment message, as it was when the rank joined last
    heads       head id -> HeadInputs message: loss, parameters, inputs
    """

    current_phase: Optional[Phase] = None  # the open one of worker.phase

    def __init__(self, address: str, hello: Any, reconnect_seconds: float = 120.0) -> None:
        self._steps: Dict[Tuple[int, int], Dict[str, int]] = {}  # (phase, epoch) -> head -> steps begun
        self._ended: Set[Tuple[int, int]] = set()  # (phase, epoch) of every phase end that was sent
        super().__init__(address, hello, reconnect_seconds)

    # What the rank is.

    @property
    def world_size(self) -> int:
        return self._hello.hello.world_size

    @property
    def experiment(self) -> Any:
        return self._welcome.experiment

    @property
    def heads(self) -> Dict[str, Any]:
        return {inputs.head.head: inputs for inputs in self._welcome.heads}

    @property
    def attempt(self) -> int:
        return self._welcome.attempt

    @property
    def first_epoch(self) -> int:
        """The first epoch that this attempt trains; above 0 after a resume."""
        return self._welcome.first_epoch

    @property
    def learning_rate(self) -> float:
        """Of the next epoch, as the newest directive of this attempt's epochs says; before the first, of first_epoch.

        An attempt may validate the epoch before its first one: that decides nothing, on no rank.
        """
        return self._rate().learning_rate

    @property
    def momentum(self) -> Optional[float]:
        """Of the next epoch, where the experiment's schedule cycles it; decided as learning_rate is."""
        rate = self._rate()
        return rate.momentum if rate.HasField("momentum") else None

    def _rate(self) -> Any:
        """The newest directive that decides the learning rate, or the welcome."""
        with self._changed:
            deciding = {epoch: one for epoch, one in self._deciding() if one.HasField("learning_rate")}
            return deciding[max(deciding)] if deciding else self._welcome

    @property
    def should_stop(self) -> bool:
        """Whether a directive of this attempt's epochs, not of one before, has said that no further is to be run."""
        with self._changed:
            return any(directive.stop for _, directive in self._deciding())

    def _deciding(self) -> Iterator[Tuple[int, Any]]:
        """Epoch and Directive, from first_epoch on: only these reach every rank before it begins the next epoch."""
        return ((epoch, one) for (_, epoch), one in self._directives.items() if epoch >= self.first_epoch)

    def epochs(self) -> Iterator[int]:
        """The epochs to train: from first_epoch on, until the last or a directive to stop.

        With early stopping, or a schedule that looks at a measure, each waits until the monitored phase of the one
        before is sealed, on ranks that do not report that phase too. One that reports it must have ended it:
        FAILED_PRECONDITION otherwise.
        """
        monitors = self._monitors()
        for epoch in range(self.first_epoch, self.experiment.training.epochs):
            if epoch > self.first_epoch:
                for phase, monitor in monitors:
                    self._await_directive(phase, epoch - 1, monitor)
            if self.should_stop:
                return
            yield epoch

    def _monitors(self) -> List[Tuple[str, str]]:
        """Phase and field of every measure that decides about the next epoch."""
        training = self.experiment.training
        monitors = []
        if training.HasField("early_stopping"):
            monitors.append((training.early_stopping.monitor, "training.early_stopping.monitor"))
        if "monitor" in training.scheduler_parameters:
            monitors.append((training.scheduler_parameters["monitor"], "training.scheduler_parameters.monitor"))
        return [(measure.partition(".")[0], field) for measure, field in monitors]

    def _await_directive(self, phase: str, epoch: int, monitor: str) -> None:
        decided = (phase_number(phase), epoch)
        with self._changed:
            if decided not in self._directives and self._reports(phase) and decided not in self._ended:
                text = f"{phase} of epoch {epoch} was not ended, and {monitor} looks at it"
                raise GradelineError("FAILED_PRECONDITION", text)
            self._wait(lambda: decided in self._directives)

    def _reports(self, phase: str) -> bool:
        """Whether this rank is one of those that report a phase; all report train."""
        ranks = getattr(self.experiment.training, f"{phase}_ranks", wire.PHASE_RANKS["ALL"])
        return self.rank == 0 or ranks != wire.PHASE_RANKS["FIRST"]

    @property
    def committed_seq(self) -> int:
        """Every record up to it is durable on the server."""
        return self._journal.committed_seq

    # Batches.

    def submit(
        self,
        phase: str,
        epoch: int,
        step: int,
        head: str,
        inputs: Mapping[str, Array],
        *,
        part: int = 0,
        normalisers: Optional[Sequence[float]] = None,
        gradient_scale: Optional[float] = None,
        gradient: bool = True,
    ) -> "Future[Result]":
        """Sends one loss call and returns at once, unless all credits are in use: then it waits for one.

        The future gives a Result, or raises Refused, Stopped or GradelineError.
        """
        request = wire.TrainRequest()
        batch = request.batch
        batch.key.phase, batch.key.epoch, batch.key.step = phase_number(phase), epoch, step
        batch.key.head, batch.key.part = head, part
        batch.inputs.extend(to_wire(name, array) for name, array in inputs.items())
        batch.normalisers.extend(normalisers or ())
        if gradient_scale is not None:
            batch.gradient_scale = gradient_scale
        batch.gradient = gradient
        with self._changed:
            self._check_usable()
            limits = self._welcome
            _check_size(request, limits.max_message_bytes)
            self._wait(
                lambda: self._journal.unanswered < max(limits.credits, 1)
                and self._journal.uncommitted < max(limits.max_uncommitted, 1)
            )
            return self._send("batch", request).answer

    def batch(
        self, phase: str, epoch: int, step: int, head: str, inputs: Mapping[str, Array], **options: Any
    ) -> Result:
        """Loss and gradients of one batch; options as in submit. Waits for the answer."""
        return self.submit(phase, epoch, step, head, inputs, **options).result()

    def report(self, head: str, inputs: Mapping[str, Array]) -> Result:
        """Reports to an evaluation, for metrics alone: the boxes that a detector found, of the open phase.

        inputs: by the names that `heads` says. An image's objects come in one report, from one rank.
        """
        phase = self.open_phase()
        step, part = phase.next_key(head)
        return self.batch(phase.name, phase.epoch, step, head, inputs, part=part, gradient=False)

    def phase(self, phase: str, epoch: int, accumulation: int = 1) -> Phase:
        """A context manager that numbers the batches of a phase and ends it: see Phase."""
        return Phase(self, phase, epoch, accumulation)

    def open_phase(self) -> Phase:
        """current_phase; FAILED_PRECONDITION if there is none."""
        if self.current_phase is None:
            raise GradelineError("FAILED_PRECONDITION", "no phase is open: use `with worker.phase(name, epoch):`")
        return self.current_phase

    def enter_phase(self, phase: Optional[Phase]) -> None:
        """Makes it current_phase: called by Phase."""
        if phase is not None:
            self._check_not_ended(phase.name, phase.epoch)
            open_phase = self.current_phase
            if open_phase is not None:
                text = f"{open_phase.name} of epoch {open_phase.epoch} is still open"
                raise GradelineError("FAILED_PRECONDITION", text)
        self.current_phase = phase

    def steps_begun(self, phase: str, epoch: int) -> Dict[str, int]:
        """How many steps of each head worker.phase has begun in a phase: kept by Phase, over all times it is entered."""
        return self._steps.setdefault((phase_number(phase), epoch), {})

    def end_phase(self, phase: str, epoch: int, records: Optional[int] = None) -> Epoch:
        """This rank has sent every batch of a phase. Waits until all ranks have, and returns the sealed epoch.

        records: how many the rank reported; counted unless given.
        """
        request = wire.TrainRequest()
        with self._changed:
            self._check_usable()
            self._check_not_ended(phase, epoch)
            self._wait(lambda: self._journal.unanswered == 0)
            end = request.end_phase
            end.phase, end.epoch = phase_number(phase), epoch
            end.records = self._journal.records(end.phase, end.epoch) if records is None else records
            answer = self._send("end_phase", request).answer
            self._ended.add((end.phase, end.epoch))
            self._steps.pop((end.phase, end.epoch), None)
        return Epoch.of(answer.result())

    def _check_not_ended(self, phase: str, epoch: int) -> None:
        if (phase_number(phase), epoch) in self._ended:
            text = f"{phase.lower()} of epoch {epoch} was ended: nothing can be added to it"
            raise GradelineError("FAILED_PRECONDITION", text)

    def flush(self) -> int:
        """Waits until everything sent so far is durable, and returns its last seq: save checkpoints after it.

        A checkpoint goes on at an epoch's beginning: save one when the epoch's training is sealed, with its number, and
        resume the experiment with the next.
        """
        with self._changed:
            self._check_usable()
            self._wait(lambda: self._journal.unanswered == 0)
            wanted = self._journal.last_seq  # now: a batch that is refused without a record gives its seq back
            self._flushing = True
            if self._live and self._stream is not None:
                self._stream.send(wire.TrainRequest(flush={}))
            self._wait(lambda: self._journal.committed_seq >= wanted)
            self._flushing = False
            return wanted

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Inside, the server expects no progress of this rank."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False

    # The end.

    def finish(self) -> None:
        """The rank has done all its work. Waits until the server has it in its books; a second call does nothing."""
        with self._changed:
            if self._bye is not None and self._over:
                return
            self._check_usable()
            self._wait(lambda: self._journal.unanswered == 0)
            bye = self._goodbye("")
            self._wait(lambda: self._over or bye.answer.done())
        if bye.answer.done():
            bye.answer.result()  # refused: the rank is still held
        self._close()

    def fail(self, reason: str, timeout: float = 10.0) -> None:
        """The rank gives up: the experiment becomes FAILED with the reason. Does nothing when the rank is over."""
        if not reason:
            raise ValueError("reason: empty; say why the rank gives up")
        self._give_up(reason, timeout)

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if kind is None:
            self.finish()
        else:
            self.fail(f"{kind.__name__}: {error}"[:500])


def phase_number(phase: str) -> int:
    """The wire's number of "train", "validation" or "test"."""
    number = wire.PHASES.get(phase.upper(), 0)
    if number == 0:
        raise ValueError(f'phase: "{phase}"; allowed: train, validation, test')
    return number


def _check_size(request: Any, most: int) -> None:
    size = request.ByteSize() + 16  # the seq is not in it yet
    if 0 < most < size:
        text = f"the batch has {size} bytes; allowed: at most {most}"
        violations = [Violation("batch.inputs", text)]
        raise Refused("RESOURCE_EXHAUSTED", text, violations, reason="MESSAGE_TOO_LARGE")
