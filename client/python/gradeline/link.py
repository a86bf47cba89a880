"""A rank's connection: keeps a stream to the server alive, and tells answers to those who wait for them.

Two threads of its own read the stream and send heartbeats. What a rank may ask for is in worker.py.
"""

import atexit
import logging
import os
import threading
from typing import Any, Dict, Optional, Sequence, Tuple

import grpc

from gradeline import wire
from gradeline.backoff import Backoff
from gradeline.errors import GradelineError, Refused, Stopped, from_rpc, from_status
from gradeline.journal import Entry, Journal
from gradeline.results import Result
from gradeline.route import Route
from gradeline.stream import Stream

_log = logging.getLogger("gradeline")

HEARTBEAT_SECONDS = 3.0  # at most; a third of the server's lease if that is shorter
_FINISHED = ("SUCCEEDED", "EARLY_STOPPED")


class _ConnectionLost(Exception):
    """The server ended the stream without saying that the attempt is over."""


class Link:
    """The part of a Worker that is not called by trainers. Subclasses take self._changed around self._journal."""

    def __init__(self, address: str, hello: Any, reconnect_seconds: float = 120.0) -> None:
        self._route, self._hello, self._pid = Route(address), hello, os.getpid()
        self._backoff = Backoff(reconnect_seconds)
        self._changed = threading.Condition()  # guards everything below
        self._journal = Journal()
        self._stream: Optional[Stream] = None
        self._live = False  # the stream has everything that was sent before: new requests may follow
        self._welcome: Optional[Any] = None
        self._failure: Optional[BaseException] = None
        self._bye: Optional[Entry] = None
        self._over = False  # nothing more will come: finished, failed or given up
        self._flushing = False
        self._paused = False
        self._overtaken = 0  # refusals to come of batches that have been sent again
        self._directives: Dict[Tuple[int, int], Any] = {}  # (phase, epoch) -> Directive message, of this attempt
        self.suspect_ranks: Sequence[int] = ()
        self.gone_ranks: Sequence[int] = ()
        self._threads = [
            threading.Thread(target=run, name=f"gradeline-{name}", daemon=True)
            for name, run in (("stream", self._run), ("heartbeat", self._beat))
        ]
        for thread in self._threads:
            thread.start()
        with self._changed:
            self._wait(lambda: self._welcome is not None)
        atexit.register(self._at_exit)

    @property
    def address(self) -> str:
        """The target that was configured, not the server in use."""
        return self._route.target

    @property
    def rank(self) -> int:
        return self._hello.hello.rank

    # Under the lock.

    def _check_usable(self) -> None:
        if self._pid != os.getpid():
            raise GradelineError(
                "FAILED_PRECONDITION",
                f"rank {self.rank} was joined by process {self._pid}, this is {os.getpid()}: join after forking",
            )
        if self._failure is not None:
            raise self._failure
        if self._bye is not None:
            raise GradelineError("FAILED_PRECONDITION", f"rank {self.rank} has said goodbye")

    def _wait(self, condition: Any) -> None:
        self._changed.wait_for(lambda: self._failure is not None or condition())
        if self._failure is not None:
            raise self._failure

    def _send(self, kind: str, request: Any) -> Entry:
        entry = self._journal.add(kind, request)
        if self._live and self._stream is not None:
            self._stream.send(request)
        return entry

    def _fail(self, error: BaseException) -> None:
        self._failure = error
        self._journal.fail(error)
        self._over = True
        self._changed.notify_all()

    # The stream's thread.

    def _run(self) -> None:
        delay: Optional[float] = 0.0
        while delay is not None:
            try:
                self._converse()
                self._hang_up()
                return
            except grpc.RpcError as failure:
                error = from_rpc(failure, self._route.address)
            except _ConnectionLost:
                error = GradelineError("UNAVAILABLE", f"the server at {self._route.address} ended the stream")
            except Exception as defect:  # never leave the trainer waiting for a dead thread
                with self._changed:
                    self._fail(defect)
                return
            with self._changed:
                self._live = False
                self._hang_up()
                delay = self._after(error)
                if delay is not None and self._changed.wait_for(lambda: self._over, delay):
                    return

    def _after(self, error: GradelineError) -> Optional[float]:
        """The stream ended with an error: seconds until the next attempt, or None if there is to be none."""
        if self._over or self._goodbye_was_taken(error):
            self._over = True
            self._changed.notify_all()
            return None
        if error.reason == "EXPERIMENT_ENDED" and self._welcome is not None:
            stopped = Stopped(error.metadata["state"], "")
            stopped.message = error.message
            self._fail(stopped)
            return None
        if self._route.failed(error):
            return 0.0
        delay = self._backoff.next(error.retry_after) if _may_retry(error) else None
        if delay is None:
            if self._backoff.attempts:
                error.message += f" (after {self._backoff.attempts} attempts)"
            self._fail(error)
        return delay

    def _converse(self) -> None:
        with self._changed:
            if self._over:
                return
            self._stream = Stream(self._route.address, self._hello)
        for response in self._stream:
            with self._changed:
                kind = response.WhichOneof("message")
                if kind is not None:  # a kind that this package does not know is skipped
                    getattr(self, f"_on_{kind}")(getattr(response, kind))
                self._changed.notify_all()
                if self._over:
                    return
        raise _ConnectionLost

    def _goodbye_was_taken(self, error: GradelineError) -> bool:
        """Whether a goodbye reached the books although its answer was lost: the rank then is no longer to be had."""
        return self._bye is not None and (
            error.reason == "RANK_DONE" or (error.reason == "EXPERIMENT_ENDED" and error.metadata["state"] in _FINISHED)
        )

    # Answers, under the lock.

    def _on_welcome(self, welcome: Any) -> None:
        self._backoff.reset()
        self._route.reached()
        self._welcome = welcome
        if welcome.committed_seq > self._journal.last_seq:
            text = f"rank {self.rank} already reported {welcome.committed_seq} records that this worker did not send"
            self._fail(GradelineError("FAILED_PRECONDITION", text))
            return
        for epoch in welcome.last_seals:
            self._seal(epoch)
        assert self._stream is not None
        self._overtaken = 0
        for request in self._journal.rejoined(welcome.committed_seq):
            self._stream.send(request)
        if self._flushing:
            self._stream.send(wire.TrainRequest(flush={}))
        self.suspect_ranks = ()  # told anew if there are any
        self._live = True
        self._check_goodbye()

    def _on_result(self, result: Any) -> None:
        entry = self._journal.answered(result.seq, result.record)
        if entry is not None:
            entry.answer.set_result(Result.of(result))

    def _on_refused(self, refused: Any) -> None:
        error = from_status(refused.status, Refused)
        error.seq, error.recorded = refused.seq, refused.HasField("record")
        if refused.seq_taken:
            entry = self._journal.answered(refused.seq, refused.record if error.recorded else None)
        elif self._overtaken:
            self._overtaken -= 1  # was on its way when its forerunner was refused, and has been sent again
            return
        else:  # nothing was kept, and the seq is still the next one
            entry, again = self._journal.withdrawn(refused.seq)
            self._overtaken = len(again)
            for request in again:
                self._stream.send(request)
        if entry is not None:
            if entry is self._bye:
                self._bye = None
            entry.answer.set_exception(error)
        else:
            _log.warning("rank %d: seq %d, answered before, was refused: %s", self.rank, refused.seq, error)

    def _on_committed(self, committed: Any) -> None:
        self._journal.committed(committed.seq)
        self._check_goodbye()

    def _on_sealed(self, sealed: Any) -> None:
        self._seal(sealed.epoch)

    def _on_ranks(self, ranks: Any) -> None:
        for late in list(ranks.gone) + [late for late in ranks.suspect if late.rank not in self.suspect_ranks]:
            if late.rank == self.rank:
                continue
            _log.warning("rank %d: waiting for rank %d, silent for %s", self.rank, late.rank, _whereabouts(late))
        self.suspect_ranks = [late.rank for late in ranks.suspect]
        self.gone_ranks = [late.rank for late in ranks.gone]

    def _on_stop(self, stop: Any) -> None:
        state = wire.word(wire.STATES, stop.state)
        if self._bye is not None and state in _FINISHED:
            self._over = True
        else:
            self._fail(Stopped(state, stop.reason))

    def _seal(self, epoch: Any) -> None:
        # A partial seal ends the attempt: Stop follows and says why.
        if epoch.attempt == self._welcome.attempt and epoch.verdict == wire.VERDICTS["COMPLETE"]:
            if epoch.HasField("directive"):
                self._directives[epoch.phase, epoch.epoch] = epoch.directive
            for entry in self._journal.ended(epoch.phase, epoch.epoch):
                if not entry.answer.done():
                    entry.answer.set_result(epoch)

    def _check_goodbye(self) -> None:
        if self._bye is not None and self._journal.committed_seq >= self._bye.seq:
            self._over = True

    # The heartbeat's thread.

    def _beat(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._welcome is not None)
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: self._over, self._beat_seconds()):
                    return
                if self._live and self._stream is not None:
                    self._stream.send(wire.TrainRequest(heartbeat={"paused": self._paused}))

    def _beat_seconds(self) -> float:
        lease_ms = self._welcome.lease_ms if self._welcome is not None else 0
        return min(HEARTBEAT_SECONDS, lease_ms / 3000) if lease_ms > 0 else HEARTBEAT_SECONDS

    # The end.

    def _give_up(self, reason: str, timeout: float) -> None:
        """Says goodbye with a reason, unless the rank is over, and hangs up."""
        with self._changed:
            if not self._over and self._failure is None and self._bye is None and self._pid == os.getpid():
                self._goodbye(reason)
                self._changed.wait_for(lambda: self._over or self._failure is not None or self._bye is None, timeout)
        self._close()

    def _at_exit(self) -> None:
        if self._pid == os.getpid():  # not in a forked child
            self._give_up("the process ended without finishing its rank", timeout=2.0)

    def _goodbye(self, reason: str) -> Entry:
        request = wire.TrainRequest()
        request.bye.reason = reason
        self._bye = self._send("bye", request)
        return self._bye

    def _close(self) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()
            self._hang_up()
        if self._pid == os.getpid() and threading.current_thread() not in self._threads:
            for thread in self._threads:
                thread.join(5.0)
        atexit.unregister(self._at_exit)

    def _hang_up(self) -> None:
        if self._stream is not None:
            self._stream.close()


def _may_retry(error: GradelineError) -> bool:
    # FENCED: the rank was given away; joining again tells to whom.
    return error.unreachable or error.retry_after is not None or error.reason == "FENCED"


def _whereabouts(late: Any) -> str:
    silent = f"{late.silent_ms / 1000:.0f} s"
    if late.phase == 0:
        return silent
    return f"{silent}, last at step {late.step} of {wire.word(wire.PHASES, late.phase).lower()} epoch {late.epoch}"
