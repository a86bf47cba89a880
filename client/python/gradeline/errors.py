"""What can go wrong, as exceptions that name code, fields and reason. Decodes google.rpc.Status; retries nothing."""

from typing import Any, Dict, List, NamedTuple, Optional

import grpc

from gradeline import wire

_CODES: Dict[int, str] = {code.value[0]: code.name for code in grpc.StatusCode}
# How a call may end that the transport, not the server, has ended: a server that stops leaves calls with any of these.
_TRANSPORT = ("UNAVAILABLE", "UNKNOWN", "INTERNAL", "CANCELLED")


class Violation(NamedTuple):
    """One wrong field of a request: its path in JSON names, and what is wrong with it."""

    field: str
    description: str


class GradelineError(Exception):
    """The server refused a call, or could not be reached.

    code        name of the gRPC code: "INVALID_ARGUMENT", "UNAVAILABLE" ...
    message     one sentence
    violations  every wrong field
    reason      word for programs ("RANK_TAKEN"); empty when the error did not come from the server
    metadata    the message's variables by name
    retry_after seconds after which the server wants to be asked again, or None
    """

    def __init__(
        self,
        code: str,
        message: str,
        violations: Optional[List[Violation]] = None,
        reason: str = "",
        metadata: Optional[Dict[str, str]] = None,
        retry_after: Optional[float] = None,
    ) -> None:
        self.code = code
        self.message = message
        self.violations = list(violations or [])
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after
        super().__init__(code, message)

    def __str__(self) -> str:
        fields = "".join(f"\n  {violation.field}: {violation.description}" for violation in self.violations)
        return f"{self.code}: {self.message}{fields}"

    @property
    def from_server(self) -> bool:
        """Whether the server itself said so, rather than the connection."""
        return bool(self.reason)

    @property
    def unreachable(self) -> bool:
        """Whether the server is away, or going: the same call may be made again."""
        return self.code == "UNAVAILABLE" if self.from_server else self.code in _TRANSPORT


class Refused(GradelineError):
    """The server refused one batch, phase end or goodbye; the stream lives on. `recorded`: the epoch counts it as
    refused."""

    recorded = False
    seq = 0


class Stopped(GradelineError):
    """The attempt is over for this rank. `state` is the experiment's: "CANCELLED", "FAILED" ..."""

    def __init__(self, state: str, reason: str) -> None:
        super().__init__("ABORTED", f"the experiment is {state}" + (f": {reason}" if reason else ""), reason="STOPPED")
        self.state = state


def from_status(status: Any, kind: Any = GradelineError) -> GradelineError:
    """A google.rpc.Status as an exception of class `kind`."""
    error = kind(_CODES.get(status.code, str(status.code)), status.message)
    for detail in status.details:
        name = detail.type_url.rpartition("/")[2]
        if name == "google.rpc.ErrorInfo":
            info = wire.ErrorInfo.FromString(detail.value)
            error.reason, error.metadata = info.reason, dict(info.metadata)
        elif name == "google.rpc.BadRequest":
            found = wire.BadRequest.FromString(detail.value).field_violations
            error.violations = [Violation(violation.field, violation.description) for violation in found]
        elif name == "google.rpc.RetryInfo":
            delay = wire.RetryInfo.FromString(detail.value).retry_delay
            error.retry_after = delay.seconds + delay.nanos * 1e-9
    return error


def from_rpc(failure: grpc.RpcError, address: str) -> GradelineError:
    """A failed call as an exception; `address` is the server's, for the message."""
    for key, value in failure.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            return from_status(wire.Status.FromString(value))
    code, details = failure.code(), failure.details() or "no details"
    if code is grpc.StatusCode.UNAVAILABLE:
        return GradelineError(code.name, f"cannot reach the Gradeline server at {address}: {details}")
    return GradelineError(code.name, details)
