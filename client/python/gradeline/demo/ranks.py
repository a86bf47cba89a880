"""The demo's trainer processes: starts one per rank, notices when one fails, and ends no process but its own."""

import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
from typing import Dict, List, Optional

PACKAGE_FOLDER = pathlib.Path(__file__).resolve().parent.parent.parent


class Ranks:
    """world_size trainers on this host. What they print is kept, and told when they fail."""

    def __init__(
        self, world_size: int, environment: Dict[str, str], data: Optional[pathlib.Path], checkpoints: pathlib.Path
    ) -> None:
        shared = {
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(_free_port()),
            "WORLD_SIZE": str(world_size),
            "OMP_NUM_THREADS": "1",
            "GLOO_SOCKET_IFNAME": "lo",
            "PYTHONPATH": os.pathsep.join(filter(None, [str(PACKAGE_FOLDER), os.environ.get("PYTHONPATH")])),
            **environment,
        }
        command = [sys.executable, "-m", "gradeline.demo.trainer", "--checkpoints", str(checkpoints)]
        command += ["--data", str(data)] if data else []
        self._outputs = [tempfile.TemporaryFile() for _ in range(world_size)]
        self._processes: List[subprocess.Popen] = []
        for rank, output in enumerate(self._outputs):
            own = {**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)}
            self._processes.append(
                subprocess.Popen(
                    command,
                    env=own,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # a Ctrl-C is this process's to handle
                )
            )

    def failed(self) -> Optional[int]:
        """The lowest rank whose process ended badly."""
        codes = [process.poll() for process in self._processes]
        return next((rank for rank, code in enumerate(codes) if code not in (None, 0)), None)

    def failed_after(self, seconds: float) -> Optional[int]:
        """Like failed, once all have ended or the first has failed; waits at most so long."""
        until = time.monotonic() + seconds
        for process in self._processes:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass
            if self.failed() is not None:
                break
        return self.failed()

    def output(self, rank: int, last_bytes: int = 4000) -> str:
        """The end of what a rank printed."""
        file = self._outputs[rank]
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - last_bytes))
        return file.read().decode(errors="replace")

    def end(self) -> None:
        """Ends those that still run, first politely."""
        for stop in (subprocess.Popen.terminate, subprocess.Popen.kill):
            for process in self._processes:
                if process.poll() is None:
                    stop(process)
            self.failed_after(5.0)
        for file in self._outputs:
            file.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
