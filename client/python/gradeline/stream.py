"""One connection of a rank to the server: requests go into a queue, responses come out of an iterator.

Knows nothing of sequence numbers or retries; when it breaks, the worker makes another.
"""

import queue
from typing import Any, Iterator, List, Optional, Tuple

import grpc

from gradeline import wire

# Messages are limited by the server. Every connection stands alone: no proxy, no back-off shared with dead ones.
CHANNEL_OPTIONS: List[Tuple[str, Any]] = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.enable_http_proxy", 0),
    # Whoever calls tries again. A call that gRPC 1.51 itself repeats when a server goes away may never end.
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # A server that is back is found soon: whoever calls decides how often to try.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.min_reconnect_backoff_ms", 5_000),  # how long one try to connect may take
]


class Stream:
    """The Train call on a channel of its own."""

    def __init__(self, address: str, hello: Any) -> None:
        self._outbox: "queue.SimpleQueue[Optional[Any]]" = queue.SimpleQueue()
        self._outbox.put(hello)
        self._channel = grpc.insecure_channel(address, CHANNEL_OPTIONS)
        self._call = wire.METHODS["Train"].on(self._channel)(iter(self._outbox.get, None))

    def send(self, request: Any) -> None:
        """Queues a TrainRequest; never blocks. The order of calls is the order on the wire."""
        self._outbox.put(request)

    def __iter__(self) -> Iterator[Any]:
        """Responses until the server ends the call. Raises grpc.RpcError when it or the connection fails."""
        return iter(self._call)

    def finish(self) -> None:
        """Nothing more will be sent; the server ends the call when it has answered."""
        self._outbox.put(None)

    def close(self) -> None:
        """Drops the connection at once."""
        self._call.cancel()
        self._outbox.put(None)
        self._channel.close()
