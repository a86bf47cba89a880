"""gradeline db backup, check and restore on the real server, and a database of the first schema with this program."""

import json
import os
import pathlib
import shutil
import socket
import sqlite3
import stat
import subprocess
import tempfile
import threading
import unittest
from typing import Any

from gradeline import wire
from gradeline.stream import Stream
from gradeline.tensors import to_wire
from proxy import Proxy
from schema_0001.make import HEAD, HERE, facts, inputs
from server import BIN, Server


def db(verb: str, *words: Any, server: str = "") -> subprocess.CompletedProcess:
    command = [str(BIN / "gradeline"), "db", verb, *map(str, words)] + (["--server", server] if server else [])
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


class CuttingProxy(Proxy):
    """Breaks the connection when the server has sent more than a megabyte."""

    def _pump(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        sent = 0
        try:
            while data := source.recv(65536):
                sink.sendall(data)
                sent += len(data)
                if answers and sent > 1 << 20:
                    self.cut()
        except OSError:
            pass


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def server(self, **settings: Any) -> Server:
        server = Server(**{key: str(value) for key, value in settings.items()})
        self.addCleanup(server.close)
        return server

    def assertRun(self, run: subprocess.CompletedProcess, code: int = 0, says: str = "") -> None:
        self.assertEqual(run.returncode, code, (run.stdout, run.stderr))
        self.assertIn(says, run.stdout + run.stderr)

    def check(self, server: Server) -> None:
        self.assertRun(db("check", server=server.address), says="no flaw in ")


class DbTest(Case):
    def test_a_backup_under_load_is_restored_with_equal_seals(self) -> None:
        server = self.server()
        name, token = server.experiment(metrics=["accuracy"], epochs=1000)
        worker = server.client.join(name, token, 0, 1)
        self.addCleanup(worker._close)
        done = threading.Event()

        def train() -> None:
            epoch = 0
            while not done.is_set():
                for step in range(20):
                    worker.batch("train", epoch, step, HEAD, inputs(step))
                worker.end_phase("train", epoch)
                epoch += 1

        trainer = threading.Thread(target=train)
        trainer.start()
        try:
            for number in range(3):
                self.assertRun(db("backup", "--to", self.folder / f"{number}.db", server=server.address))
                self.check(server)
        finally:
            done.set()
            trainer.join()
        self.assertEqual(stat.S_IMODE(os.stat(self.folder / "2.db").st_mode), 0o600)
        self.assertRun(db("restore", "--from", self.folder / "2.db", "--store", self.folder / "restored.db"))
        restored = self.server(store_path=self.folder / "restored.db")
        self.check(restored)
        seals = facts(restored, name)["epochs"]
        self.assertGreater(len(seals), 0)
        self.assertEqual(seals, facts(server, name)["epochs"][: len(seals)])

    def test_a_backup_that_is_cut_off_leaves_nothing(self) -> None:
        server = self.server()
        server.import_items("large", ["a", "b"], 100_000)
        proxy = CuttingProxy(server.address)
        self.addCleanup(proxy.close)
        self.assertRun(db("backup", "--to", self.folder / "cut.db", server=proxy.address), code=7)
        self.assertEqual(os.listdir(self.folder), [])
        self.assertGreater(proxy.connections, 0)
        self.assertRun(db("backup", "--to", self.folder / "whole.db", server=server.address))
        self.assertEqual(os.listdir(self.folder), ["whole.db"])
        self.assertRun(db("backup", "--to", self.folder / "whole.db", server=server.address), code=5, says="--force")
        self.assertRun(db("backup", "--to", self.folder / "whole.db", "--force", server=server.address))
        self.assertEqual(os.listdir(self.folder), ["whole.db"])

    def test_check_prints_each_flaw_and_exits_with_1(self) -> None:
        shutil.copy(HERE / "gradeline.db", self.folder / "g.db")
        with sqlite3.connect(self.folder / "g.db") as database:
            database.execute("UPDATE records SET vals = zeroblob(16) WHERE experiment = 1 AND epoch = 0 AND phase = 1")
            database.execute("DELETE FROM events WHERE experiment = 2 AND revision = 2")
        server = self.server(store_path=self.folder / "g.db")
        run = db("check", server=server.address)
        self.assertRun(run, code=1, says="2 flaws in 3 experiments")
        self.assertRegex(run.stdout, r"experiment-1 +1 +the complete seal of train of epoch 0 is not the fold of its records")
        self.assertRegex(run.stdout, r"experiment-2 +- +event 3 follows event 1")
        found = json.loads(db("check", "-o", "json", server=server.address).stdout)
        self.assertEqual([flaw["experiment"] for flaw in found["flaws"]], ["experiments/experiment-1", "experiments/experiment-2"])

    def restore(self, source: pathlib.Path, *words: str) -> subprocess.CompletedProcess:
        return db("restore", "--from", source, "--store", self.folder / "g.db", *words)

    def test_restore_refuses_what_is_not_whole(self) -> None:
        bad = self.folder / "bad.db"
        good = (HERE / "gradeline.db").read_bytes()
        middle = len(good) // 2
        contents = {
            "torn": (good[:middle], "cannot be restored"),
            "damaged": (good[:middle] + b"\xff" * 8192 + good[middle + 8192 :], "cannot be restored"),
            "text": (b"This is a text file. " * 500, "not a database"),
            "empty": (b"", "no database of Gradeline"),
        }
        for name, (content, says) in contents.items():
            with self.subTest(name):
                bad.write_bytes(content)
                self.assertRun(self.restore(bad), code=6, says=says)
                self.assertIn(str(bad), self.restore(bad).stderr)
        shutil.copy(HERE / "gradeline.db", bad)
        with sqlite3.connect(bad) as database:
            database.execute("UPDATE ranks SET committed_seq = 1 WHERE experiment = 1")
        self.assertRun(self.restore(bad), code=6, says="experiment-1: attempt 1: rank 0")
        with sqlite3.connect(bad) as database:
            database.execute("PRAGMA user_version = 4711")
        self.assertRun(self.restore(bad), code=5, says="4711")
        self.assertRun(self.restore(self.folder / "none.db"), code=3, says="none.db")
        self.assertEqual(sorted(os.listdir(self.folder)), ["bad.db", "g.db.lock"])

    def test_restore_replaces_a_database_only_when_told_and_never_under_a_server(self) -> None:
        server = self.server(store_path=self.folder / "g.db")
        self.assertRun(self.restore(HERE / "gradeline.db", "--force"), code=5, says="another gradelined")
        name, _ = server.experiment()
        server.kill()  # its log stays behind
        self.assertTrue((self.folder / "g.db-wal").exists())
        self.assertRun(self.restore(HERE / "gradeline.db"), code=5, says="--force")
        self.assertRun(self.restore(HERE / "gradeline.db", "--force"), says="restored")
        server.start(server.address)
        self.check(server)
        self.assertEqual(server.client.experiment("experiments/experiment-2").state, wire.STATES["CANCELLED"])


class UpgradeTest(Case):
    """The database beside schema_0001/make.py, with three experiments: finished, cancelled, and in the middle of an epoch."""

    def test_the_first_schema(self) -> None:
        path = self.folder / "g.db"
        shutil.copy(HERE / "gradeline.db", path)
        with sqlite3.connect(path) as database:
            token, instance, committed = database.execute(
                "SELECT token, instance, committed_seq FROM attempts JOIN ranks USING (experiment, attempt) WHERE experiment = 3"
            ).fetchone()
        server = self.server(store_path=path)
        self.check(server)
        expected = json.loads((HERE / "expected.json").read_text())
        for name in expected:
            self.assertHolds(expected[name], facts(server, name), name)
        # An attempt goes on only with the numerics it began with: those of the machine that the file was made on.
        numerics = server.client.call("GetServerInfo").numerics
        server.kill()
        with sqlite3.connect(path) as database:
            database.execute("UPDATE attempts SET numerics = ? WHERE experiment = 3", [numerics])
        server.start(server.address)
        self.finish(server.address, "experiments/experiment-3", token.decode(), instance, committed)
        self.check(server)
        found = facts(server, "experiments/experiment-3")
        self.assertEqual(found["experiment"]["state"], "EXPERIMENT_STATE_SUCCEEDED")
        seal = found["epochs"][-1]
        self.assertEqual((seal["verdict"], seal["batches"], seal["items"]), ("SEAL_VERDICT_COMPLETE", "3", "12"))
        self.assertEqual(found["epochs"][0]["loss"], expected["experiments/experiment-1"]["epochs"][0]["loss"])

    def finish(self, address: str, name: str, token: str, instance: bytes, committed: int) -> None:
        """Goes on as the process that held the rank would: one more batch, the end of the epoch, goodbye."""
        request = wire.TrainRequest()
        hello = request.hello
        hello.experiment, hello.attempt_token, hello.world_size, hello.instance = name, token, 1, instance
        stream = Stream(address, request)
        request = wire.TrainRequest(batch={"seq": committed + 1, "key": {"phase": wire.PHASES["TRAIN"], "epoch": 1, "step": 2, "head": HEAD}})
        request.batch.inputs.extend(to_wire(key, array) for key, array in inputs(6).items())
        stream.send(request)
        stream.send(wire.TrainRequest(end_phase={"seq": committed + 2, "phase": wire.PHASES["TRAIN"], "epoch": 1, "records": 3}))
        stream.send(wire.TrainRequest(bye={"seq": committed + 3}))
        answers = [answer.WhichOneof("message") for answer in stream]
        stream.close()
        self.assertEqual([kind for kind in answers if kind in ("result", "sealed", "stop")], ["result", "sealed", "stop"])

    def assertHolds(self, expected: Any, found: Any, where: str) -> None:
        """Everything expected is found; messages may have grown new fields."""
        if isinstance(expected, dict):
            for key, value in expected.items():
                self.assertIn(key, found, where)
                self.assertHolds(value, found[key], f"{where}.{key}")
        elif isinstance(expected, list):
            self.assertEqual(len(expected), len(found), where)
            for number, value in enumerate(expected):
                self.assertHolds(value, found[number], f"{where}[{number}]")
        else:
            self.assertEqual(expected, found, where)


if __name__ == "__main__":
    unittest.main()
