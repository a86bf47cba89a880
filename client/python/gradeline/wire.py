"""The wire's messages and methods, built at import from the packed definitions in proto/gradeline.binpb.

Classes live in a descriptor pool of their own: no generated code ties the package to one protobuf release, and other
packages may register google/rpc messages of their own. Opens no connection.
"""

import pathlib
from typing import Any, Dict, NamedTuple

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKED = pathlib.Path(__file__).with_name("proto") / "gradeline.binpb"


def _load() -> descriptor_pool.DescriptorPool:
    try:
        packed = _PACKED.read_bytes()
    except FileNotFoundError:
        raise ImportError(f"{_PACKED} is missing: run client/python/generate.py once") from None
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(packed).file:  # dependencies come first
        pool.AddSerializedFile(file.SerializeToString())
    return pool


_pool = _load()
if hasattr(message_factory, "GetMessageClass"):
    _class_of = message_factory.GetMessageClass
else:
    _class_of = message_factory.MessageFactory(_pool).GetPrototype


def message(name: str) -> Any:
    """The class of a message by its full name: "gradeline.v1.Batch"."""
    return _class_of(_pool.FindMessageTypeByName(name))


class Method(NamedTuple):
    """One rpc: where it is called and what goes in and out."""

    path: str
    request: Any
    response: Any
    client_streams: bool
    server_streams: bool

    def on(self, channel: grpc.Channel) -> Any:
        """The method as a callable of a channel."""
        kind = ("stream" if self.client_streams else "unary") + "_" + ("stream" if self.server_streams else "unary")
        return getattr(channel, kind)(
            self.path, request_serializer=self.request.SerializeToString, response_deserializer=self.response.FromString
        )


def _methods() -> Dict[str, Method]:
    methods = {}
    for service in ("Catalog", "Dataset", "Split", "Experiment", "Training", "Admin"):
        descriptor = _pool.FindServiceByName(f"gradeline.v1.{service}Service")
        described = descriptor_pb2.ServiceDescriptorProto()
        descriptor.CopyToProto(described)
        for method in described.method:
            methods[method.name] = Method(
                f"/{descriptor.full_name}/{method.name}",
                message(method.input_type[1:]),
                message(method.output_type[1:]),
                method.client_streaming,
                method.server_streaming,
            )
    return methods


METHODS: Dict[str, Method] = _methods()

Tensor = message("gradeline.v1.Tensor")
TrainRequest = message("gradeline.v1.TrainRequest")
TrainResponse = message("gradeline.v1.TrainResponse")
Experiment = message("gradeline.v1.Experiment")
Struct = message("google.protobuf.Struct")
Status = message("google.rpc.Status")
ErrorInfo = message("google.rpc.ErrorInfo")
BadRequest = message("google.rpc.BadRequest")
RetryInfo = message("google.rpc.RetryInfo")


def _enum(name: str, prefix: str) -> Dict[str, int]:
    values = _pool.FindEnumTypeByName(f"gradeline.v1.{name}").values_by_name
    return {key[len(prefix) :]: value.number for key, value in values.items()}


DATA_TYPES = _enum("DataType", "DATA_TYPE_")
PHASES = _enum("Phase", "PHASE_")
PARTS = _enum("Part", "PART_")
STATES = _enum("ExperimentState", "EXPERIMENT_STATE_")
REDUCTIONS = _enum("Reduction", "REDUCTION_")
RANK_MEANS = _enum("RankMean", "RANK_MEAN_")
STRATEGIES = _enum("SplitStrategy", "SPLIT_STRATEGY_")
PHASE_RANKS = _enum("PhaseRanks", "PHASE_RANKS_")
NON_FINITE = _enum("NonFinite", "NON_FINITE_")
VERDICTS = _enum("SealVerdict", "SEAL_VERDICT_")


def word(enum: Dict[str, int], number: int) -> str:
    """The name of an enum's number without its prefix: "TRAIN"; the number itself if this package does not know it."""
    return next((name for name, value in enum.items() if value == number), str(number))
