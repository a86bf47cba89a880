"""A PostgreSQL server of its own for a test: on a Unix socket, in a folder that goes away with it."""

import os
import pathlib
import pwd
import signal
import subprocess
import tempfile
from typing import Any, Dict

from server import until


class Postgres:
    """conninfo is the connection string of its database."""

    def __init__(self) -> None:
        """Run by root, it becomes another user, as PostgreSQL demands."""
        found = pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres")
        self._programs = max(found, key=lambda path: int(path.parts[-3])).parent
        self._folder = tempfile.TemporaryDirectory()
        folder = self._folder.name
        self._options: Dict[str, Any] = {"cwd": folder, "stdin": subprocess.DEVNULL}
        if os.geteuid() == 0:
            user = pwd.getpwnam("nobody")
            os.chown(folder, user.pw_uid, user.pw_gid)
            self._options.update(user=user.pw_uid, group=user.pw_gid, extra_groups=[])
        self.conninfo = f"host={folder} user=gradeline dbname=postgres"
        self._log = open(f"{folder}/log", "w+")
        cluster = ["--pgdata", f"{folder}/data", "--username=gradeline", "--auth=trust"]
        self._spawn("initdb", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", *cluster).wait()
        self._server = self._spawn("postgres", "-D", f"{folder}/data", "-k", folder, "-c", "listen_addresses=")
        until(lambda: self._answers() or self._server.poll() is not None, 60)
        if self._server.poll() is not None:
            self._log.seek(0)
            raise RuntimeError(f"PostgreSQL does not start:\n{self._log.read()}")

    def close(self) -> None:
        self._server.send_signal(signal.SIGINT)  # does not wait for its clients
        self._server.wait()
        self._log.close()
        self._folder.cleanup()

    def _answers(self) -> bool:
        return self._spawn("pg_isready", "--dbname", self.conninfo).wait() == 0

    def _spawn(self, program: str, *words: str) -> subprocess.Popen:
        return subprocess.Popen([self._programs / program, *words], stdout=self._log, stderr=self._log, **self._options)
