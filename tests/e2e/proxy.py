"""A TCP proxy that loses connections when told to, for what lies between a worker and its server."""

import socket
import threading
from typing import List, Set


class Proxy:
    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._open: Set[socket.socket] = set()
        self._swallowing = False
        self.swallowed = threading.Event()  # an answer of the server was lost
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def swallow(self) -> None:
        """From now on answers are lost, until the next cut."""
        self.swallowed.clear()
        self._swallowing = True

    def cut(self) -> None:
        """Breaks every connection."""
        with self._lock:
            broken: List[socket.socket] = list(self._open)
            self._open.clear()
            self._swallowing = False
        for end in broken:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self._target)
            except OSError:
                near.close()
                continue
            with self._lock:
                self._open |= {near, far}
                self.connections += 1
            threading.Thread(target=self._pump, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(far, near, True), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        try:
            while data := source.recv(65536):
                if answers and self._swallowing:
                    self.swallowed.set()
                else:
                    sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            with self._lock:
                self._open.discard(end)
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()
