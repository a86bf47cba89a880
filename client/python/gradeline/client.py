"""The door to a server: joining as a rank, and the calls that a trainer or a script needs besides.

Opens its connection at the first call. Safe to carry across a fork: the child opens one of its own.
"""

import contextlib
import os
import time
import uuid
from typing import Any, Iterator, List, Mapping, Optional, Sequence

import grpc

from gradeline import wire
from gradeline.backoff import Backoff
from gradeline.errors import GradelineError, from_rpc
from gradeline.results import Epoch, Result
from gradeline.route import Route
from gradeline.stream import CHANNEL_OPTIONS
from gradeline.tensors import Array, to_wire
from gradeline.worker import Worker

DEFAULT_ADDRESS = "127.0.0.1:50051"


def connect(address: Optional[str] = None, patience: float = 20.0) -> "Client":
    """A client of the server at address; without one, of GRADELINE_SERVER; without that, of this host's.

    address: "host:port", "unix:/path", or of several servers over one database "ipv4:IP:port,IP:port" or
    "dns:///name:port".
    patience: seconds for which a call is tried again while the server is out of reach: a restart takes less, and
    so does another server that takes over.
    """
    return Client(address or os.environ.get("GRADELINE_SERVER") or DEFAULT_ADDRESS, patience=patience)


class Client:
    """Thread-safe. Messages are those of gradeline.v1."""

    def __init__(self, address: str, timeout: float = 60.0, patience: float = 20.0) -> None:
        self.address, self.timeout, self.patience = address, timeout, patience
        self._channel: Optional[grpc.Channel] = None
        self._pid = 0

    def join(
        self,
        experiment: Optional[str] = None,
        token: Optional[str] = None,
        rank: Optional[int] = None,
        world_size: Optional[int] = None,
        reconnect_seconds: float = 120.0,
    ) -> Worker:
        """Joins an experiment's attempt as a rank.

        What is not given comes from the environment: GRADELINE_EXPERIMENT, GRADELINE_TOKEN, and torchrun's RANK and
        WORLD_SIZE (without those: rank 0 of 1). reconnect_seconds: how long the server may be out of reach at a time.
        """
        request = wire.TrainRequest()
        hello = request.hello
        hello.experiment = _resource("experiments", experiment or _environment("experiment", "GRADELINE_EXPERIMENT"))
        hello.attempt_token = token or _environment("token", "GRADELINE_TOKEN")
        hello.rank = int(os.environ.get("RANK", "0")) if rank is None else rank
        hello.world_size = int(os.environ.get("WORLD_SIZE", "1")) if world_size is None else world_size
        hello.instance = os.urandom(16)
        return Worker(self.address, request, reconnect_seconds)

    def call(self, method: str, **fields: Any) -> Any:
        """Any unary method by its name: client.call("GetSplit", name="splits/a").

        A request that takes a request_id gets one. Tried again when the server is out of reach for a moment. Among
        several servers, goes to the one that owns the experiment.
        """
        described = wire.METHODS[method]
        request = described.request(**fields)
        if "request_id" in described.request.DESCRIPTOR.fields_by_name and not request.request_id:
            request.request_id = str(uuid.uuid4())
        backoff, route = Backoff(span=self.patience), Route(self.address)
        while True:
            try:
                with self._channel_to(route.address) as channel:
                    return described.on(channel)(request, timeout=self.timeout)
            except grpc.RpcError as failure:
                error = from_rpc(failure, route.address)
                if route.failed(error):
                    continue
                delay = backoff.next(error.retry_after) if error.unreachable else None
                if delay is None:
                    raise error from None
                time.sleep(delay)

    def evaluate_loss(
        self,
        loss: str,
        inputs: Mapping[str, Array],
        params: Optional[Mapping[str, Any]] = None,
        reduction: str = "mean",
        normalisers: Sequence[float] = (),
        gradient: bool = True,
    ) -> Result:
        """Loss and gradients of one batch without an experiment."""
        tensors = [to_wire(name, array) for name, array in inputs.items()]
        number = wire.REDUCTIONS[reduction.upper()]
        return Result.of(
            self.call(
                "EvaluateLoss",
                loss=loss,
                params=struct(params or {}),
                inputs=tensors,
                reduction=number,
                normalisers=normalisers,
                gradient=gradient,
            )
        )

    def evaluate_metric(
        self,
        metric: str,
        inputs: Mapping[str, Array],
        params: Optional[Mapping[str, Any]] = None,
        signal: str = "",
        ignore_index: Optional[int] = None,
    ) -> Any:
        """A metric of one batch, which may be a whole data set, without an experiment: the MetricValue message."""
        fields = {} if ignore_index is None else {"ignore_index": ignore_index}
        tensors = [to_wire(name, array) for name, array in inputs.items()]
        request = dict(metric=metric, params=struct(params or {}), inputs=tensors, signal=signal, **fields)
        return self.call("EvaluateMetric", **request).value

    def experiment(self, name: str) -> Any:
        """The Experiment message."""
        return self.call("GetExperiment", name=_resource("experiments", name))

    def epochs(self, experiment: str) -> List[Epoch]:
        """All sealed phases of an experiment, oldest first."""
        pages = self.pages("ListEpochs", "epochs", parent=_resource("experiments", experiment))
        return [Epoch.of(message) for message in pages]

    def items(self, split: str, part: str, rank: int = 0, world_size: int = 0) -> Iterator[Any]:
        """The Item messages of a part ("train", "validation", "test") in dataset order; with world_size, a rank's."""
        return self.pages(
            "ListItems",
            "items",
            parent=_resource("splits", split),
            part=wire.PARTS[part.upper()],
            rank=rank,
            world_size=world_size,
            page_size=100_000,
            view="ITEM_VIEW_FULL",
        )

    def watch(self, experiment: str, from_revision: int = 0) -> Iterator[Any]:
        """WatchExperimentResponse messages after a revision, until the experiment ends; survives lost connections."""
        name = _resource("experiments", experiment)
        method = wire.METHODS["WatchExperiment"]
        backoff = Backoff(span=60.0)
        while True:
            try:
                for response in method.on(self._open())(method.request(name=name, from_revision=from_revision)):
                    backoff.reset()
                    from_revision = max(from_revision, response.revision)
                    yield response
                return
            except grpc.RpcError as failure:
                error = from_rpc(failure, self.address)
                delay = backoff.next(error.retry_after) if error.unreachable else None
                if delay is None:
                    raise error from None
                time.sleep(delay)

    def close(self) -> None:
        """Closes the connection; a later call opens another."""
        if self._channel is not None and self._pid == os.getpid():
            self._channel.close()
        self._channel = None

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        self.close()

    def _open(self) -> grpc.Channel:
        if self._channel is None or self._pid != os.getpid():  # a forked child must not use its parent's channel
            self._channel, self._pid = grpc.insecure_channel(self.address, CHANNEL_OPTIONS), os.getpid()
        return self._channel

    @contextlib.contextmanager
    def _channel_to(self, address: str) -> Iterator[grpc.Channel]:
        if address == self.address:
            yield self._open()
        else:
            with grpc.insecure_channel(address, CHANNEL_OPTIONS) as channel:
                yield channel

    def pages(self, method: str, field: str, **fields: Any) -> Iterator[Any]:
        """The messages in a field of all pages of a list: client.pages("ListSplits", "splits")."""
        token = ""
        while True:
            page = self.call(method, page_token=token, **fields)
            yield from getattr(page, field)
            token = page.next_page_token
            if not token:
                return


def struct(values: Mapping[str, Any]) -> Any:
    """A google.protobuf.Struct message of a dictionary."""
    message = wire.Struct()
    message.update(values)
    return message


def _resource(collection: str, name: str) -> str:
    return name if "/" in name else f"{collection}/{name}"


def _environment(what: str, variable: str) -> str:
    value = os.environ.get(variable)
    if not value:
        raise GradelineError("INVALID_ARGUMENT", f"{what}: not given, and {variable} is not set")
    return value
