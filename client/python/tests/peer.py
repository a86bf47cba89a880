"""A server for one rank that loses what it is told to lose: the other end of the stream in tests of the worker.

Keeps the ledger's rules (docs/protocol.md) in memory; its loss is the sum of the prediction. tests/e2e runs the same
worker against the real server.
"""

import concurrent.futures
import threading
from typing import Any, Callable, Dict, Iterator, List, Optional, Set

import grpc
import numpy as np

import gradeline
from gradeline import wire
from gradeline.tensors import from_wire, to_wire

STATES, VERDICTS = wire.STATES, wire.VERDICTS


def abort(context: Any, code: str, reason: str, **metadata: str) -> None:
    """Ends a call as the server does: with a google.rpc.Status in the trailer."""
    info = wire.ErrorInfo(reason=reason, domain="gradeline", metadata=metadata)
    status = wire.Status(code=grpc.StatusCode[code].value[0], message=reason.lower())
    status.details.add(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=info.SerializeToString())
    context.set_trailing_metadata([("grpc-status-details-bin", status.SerializeToString())])
    context.abort(grpc.StatusCode[code], status.message)


class Peer:
    def __init__(self) -> None:
        self.credits, self.max_uncommitted, self.max_message_bytes = 4, 1024, 1 << 20
        self.lose: Set[int] = set()  # seqs that are stored, but whose answer is lost with the connection
        self.cut: Set[int] = set()  # seqs after whose answer the connection is lost, before they are committed
        self.hold_commits = False
        self.training: Dict[str, Any] = {}  # the experiment's
        self.first_epoch = 0
        self.others: List[Any] = []  # ends of phases that other ranks report: sealed, in every stream, once `released`
        self.released = threading.Event()
        self.directives: Dict[int, Dict[str, Any]] = {}  # epoch -> what the seals of its phases carry
        self.refuse: Dict[int, bool] = {}  # seq -> recorded or not
        self.conflicts: Set[int] = set()  # seqs of phase ends and goodbyes that are taken and refused
        self.stop_at: Optional[int] = None
        self.hold: Optional[threading.Event] = None  # answers to batches wait for it
        self.owner = ""  # of the experiment; who says Hello is sent to it
        self.sent_away = threading.Semaphore(0)  # released with each Hello that was sent to the owner
        self.hello_error: Optional[Callable[[Any], None]] = None  # called with the context of a second and later Hello

        self.received: List[Any] = []  # every request after Hello, over all streams
        self.hellos: List[Any] = []
        self.records: Dict[bytes, Any] = {}  # the books, by key
        self.ends: List[Any] = []
        self.committed_seq = 0
        self._queued: Dict[int, Any] = {}  # answered, not yet durable: dies with the connection
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
        train = wire.METHODS["Train"]
        handler = grpc.stream_stream_rpc_method_handler(
            self._train, train.request.FromString, train.response.SerializeToString
        )
        service, method = train.path[1:].split("/")
        self._server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {method: handler})])
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def join(self, rank: int = 0, world_size: int = 1, **options: Any) -> gradeline.Worker:
        return gradeline.connect(self.address).join("e", "token", rank, world_size, **options)

    def close(self) -> None:
        self._server.stop(None).wait()

    def kinds(self) -> List[str]:
        return [request.WhichOneof("message") for request in self.received]

    def _train(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        hello = next(requests).hello
        if self.owner:
            self.sent_away.release()
            abort(context, "UNAVAILABLE", "NOT_OWNER", address=self.owner)
        if self.hellos and self.hello_error is not None:
            self.hello_error(context)
        self.hellos.append(hello)
        self._queued.clear()
        welcome = wire.TrainResponse()
        info = welcome.welcome
        info.attempt, info.committed_seq, info.credits = 1, self.committed_seq, self.credits
        info.max_uncommitted, info.max_message_bytes = self.max_uncommitted, self.max_message_bytes
        info.heads.add().head.head = "classification"
        info.experiment.name, info.first_epoch, info.learning_rate = hello.experiment, self.first_epoch, 0.1
        info.experiment.training.MergeFrom(type(info.experiment.training)(**self.training))
        for end in self.ends[-1:]:
            self._seal(end, info.last_seals.add())
        yield welcome
        for end in self.others:
            self.released.wait(10)
            response = wire.TrainResponse()
            self._seal(end, response.sealed.epoch)
            yield response
        for request in requests:
            self.received.append(request)
            yield from self._answer(request, context)

    def _answer(self, request: Any, context: Any) -> Iterator[Any]:
        kind = request.WhichOneof("message")
        if kind == "batch":
            yield from self._batch(request.batch, context)
        elif kind == "replay":
            yield from self._store(request.replay.record)
        elif kind in ("end_phase", "bye") and getattr(request, kind).seq in self.conflicts:
            yield self._conflict(getattr(request, kind).seq)
            yield from self._store(getattr(request, kind))
        elif kind == "end_phase":
            yield from self._store(request.end_phase)
            self.ends.append(request.end_phase)
            self._lose(request.end_phase.seq, context)
            response = wire.TrainResponse()
            self._seal(request.end_phase, response.sealed.epoch)
            yield response
        elif kind == "bye":
            stored = list(self._store(request.bye))
            self._lose(request.bye.seq, context)
            yield from stored
        elif kind == "flush":
            self.hold_commits = False
            yield from self._commit()

    def _batch(self, batch: Any, context: Any) -> Iterator[Any]:
        if self.hold is not None:
            self.hold.wait(10)
        if batch.seq > self._next():  # overtook one that was refused without a record
            status = {"code": 9, "message": f"{self._next()} is next"}
            yield wire.TrainResponse(refused={"seq": batch.seq, "status": status})
            return
        if batch.seq == self.stop_at:
            yield wire.TrainResponse(stop={"state": STATES["CANCELLED"], "reason": "asked to"})
            return
        response = wire.TrainResponse()
        record = wire.message("gradeline.v1.Record")(seq=batch.seq, key=batch.key, digest=b"d" * 16, items=1)
        if batch.seq in self.refuse:
            refused = response.refused
            refused.seq, refused.status.code, refused.status.message = batch.seq, 3, "bad batch"
            info = wire.ErrorInfo(reason="BAD_BATCH", domain="gradeline")
            bad = wire.BadRequest(field_violations=[{"field": "inputs[0].data", "description": "is NaN"}])
            for detail in (info, bad):
                refused.status.details.add(
                    type_url=f"type.googleapis.com/{detail.DESCRIPTOR.full_name}", value=detail.SerializeToString()
                )
            record.code = 3
            if not self.refuse.pop(batch.seq):
                yield response
                return
            refused.record.CopyFrom(record)
            refused.seq_taken = True
        else:
            values = from_wire(batch.inputs[0])
            result = response.result
            result.seq, result.value.loss = batch.seq, float(values.sum())
            record.values.add(numerator=float(values.sum()), denominator=1)
            result.record.CopyFrom(record)
            if batch.gradient:
                result.gradients.append(to_wire("prediction", np.ones_like(values)))
        if batch.seq in self.lose:
            list(self._store(record))
            self._lose(batch.seq, context)
        yield response
        if batch.seq in self.cut:
            self.cut.discard(batch.seq)
            context.abort(grpc.StatusCode.UNAVAILABLE, "cut")
        yield from self._store(record)

    def _conflict(self, seq: int) -> Any:
        response = wire.TrainResponse()
        status = response.refused.status
        response.refused.seq, status.code, status.message = seq, 6, "came before, otherwise"
        info = wire.ErrorInfo(reason="CONFLICT", domain="gradeline")
        status.details.add(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=info.SerializeToString())
        return response

    def _store(self, what: Any) -> Iterator[Any]:
        if what.seq > self.committed_seq:
            assert what.seq == self._next(), f"seq {what.seq}, expected {self._next()}"
            self._queued[what.seq] = what
        if not self.hold_commits:
            yield from self._commit()

    def _next(self) -> int:
        return self.committed_seq + len(self._queued) + 1

    def _commit(self) -> Iterator[Any]:
        for what in self._queued.values():
            if what.DESCRIPTOR.name == "Record" and what.key.SerializeToString() not in self.records:
                self.records[what.key.SerializeToString()] = what
        self.committed_seq += len(self._queued)
        self._queued.clear()
        yield wire.TrainResponse(committed={"seq": self.committed_seq})

    def _lose(self, seq: int, context: Any) -> None:
        if seq in self.lose:
            self.lose.discard(seq)
            context.abort(grpc.StatusCode.UNAVAILABLE, "lost")

    def _seal(self, end: Any, epoch: Any) -> None:
        epoch.attempt, epoch.phase, epoch.epoch, epoch.verdict = 1, end.phase, end.epoch, VERDICTS["COMPLETE"]
        epoch.batches = end.records
        epoch.metrics.add(head="classification", metric="accuracy", value=0.5, count=4)
        if end.epoch in self.directives:
            epoch.directive.MergeFrom(type(epoch.directive)(**self.directives[end.epoch]))
