"""scripts/run on the built tree: however it is told to end, the server drains and nothing is left behind."""

import os
import pathlib
import signal
import subprocess
import tempfile
import unittest
import uuid

from server import BIN

SOURCE = pathlib.Path(__file__).resolve().parents[2]
LOG = SOURCE / "var" / "gradelined.log"


@unittest.skipUnless(BIN.resolve() == SOURCE / "build" / "release" / "bin", "scripts/run builds and runs the release preset")
class RunTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.marker = f"GRADELINE_RUN_TEST={uuid.uuid4()}"
        self.said = ""
        settings = ("grpc.listen=127.0.0.1:0", "http.listen=127.0.0.1:0", f"store.path={folder.name}/gradeline.db")
        command = [str(SOURCE / "scripts" / "run")]
        for setting in settings:
            command += ["--set", setting]
        self.process = subprocess.Popen(
            command,
            env={**os.environ, **dict([self.marker.split("=")])},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.addCleanup(self.end)

    def end(self) -> None:
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process.stderr.close()

    def processes(self) -> list:
        """Everything that the run has started and that is still there."""
        found = []
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if self.marker.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
            except OSError:  # ended meanwhile, or another user's
                pass
        return found

    def read_until(self, text: str) -> None:
        while text not in self.said:
            line = self.process.stderr.readline()
            self.assertTrue(line, self.said)
            self.said += line

    def check_ended(self, code: int, log_bytes: int) -> None:
        self.said += self.process.stderr.read()  # until everyone who could write has ended
        self.assertEqual(self.process.wait(60), code, self.said)
        self.assertEqual(self.processes(), [])
        with open(LOG, "rb") as log:
            log.seek(log_bytes)
            self.assertIn(b"info stopped", log.read())

    def test_ctrl_c_while_ranks_train(self) -> None:
        log_bytes = LOG.stat().st_size if LOG.exists() else 0
        self.read_until("epoch 1/")
        self.assertGreater(len(self.processes()), 3)
        os.killpg(self.process.pid, signal.SIGINT)
        self.check_ended(130, log_bytes)
        self.assertIn("cancelled", self.said)

    def test_sigterm_to_the_script_alone(self) -> None:
        log_bytes = LOG.stat().st_size if LOG.exists() else 0
        self.read_until("Server: gRPC")
        self.process.send_signal(signal.SIGTERM)
        self.check_ended(143, log_bytes)


if __name__ == "__main__":
    unittest.main()
