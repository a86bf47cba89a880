"""A gradelined of its own for a test: free ports, temporary folder, ended with the test. And experiments on it."""

import itertools
import os
import pathlib
import re
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from typing import Any, Callable, Mapping, Optional, Sequence, Tuple

import gradeline
from gradeline import wire
from gradeline.client import struct

BIN = pathlib.Path(os.environ["GRADELINE_BIN"])


def until(condition: Callable[[], Any], seconds: float) -> None:
    """Returns once the condition, of another process, holds; an AssertionError if it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"it does not come true in {seconds} s")
        time.sleep(0.01)


class Server:
    def __init__(self, **settings: str) -> None:
        """settings: further ones of gradelined, with "_" for the dot."""
        self._settings = {key.replace("_", ".", 1): value for key, value in settings.items()}
        self._folder = tempfile.TemporaryDirectory()
        self._numbers = itertools.count(1)
        self._process: Optional[subprocess.Popen] = None
        self.address = self.start("127.0.0.1:0")
        self.client = gradeline.connect(self.address, patience=30.0)

    def start(self, listen: str) -> str:
        """Starts it, on the data that is there, and returns its address."""
        folder = pathlib.Path(self._folder.name)
        settings = {"grpc.listen": listen, "http.listen": "127.0.0.1:0"}
        if "store.postgres" not in self._settings:
            settings["store.path"] = str(folder / "gradeline.db")
        command = [str(BIN / "gradelined")]
        for setting in {**settings, **self._settings}.items():
            command += ["--set", "=".join(setting)]
        log = folder / "log"
        with open(log, "w") as out:
            self._process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        told = re.compile(r"listening grpc=([^ \"]+) http=([^ \"]+)")
        until(lambda: told.search(log.read_text()) or self._process.poll() is not None, 30)
        found = told.search(log.read_text())
        if found is None:
            raise RuntimeError(f"the server did not start:\n{log.read_text()}")
        self.http = found[2]
        return found[1]

    def kill(self) -> None:
        """Ends it as a crash would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def terminate(self) -> None:
        """Tells it to drain."""
        assert self._process is not None
        self._process.terminate()

    def ended(self, seconds: float) -> int:
        """Its exit code, once it has ended."""
        assert self._process is not None
        return self._process.wait(seconds)

    def get(self, path: str) -> Tuple[int, str]:
        """Status and text of an HTTP path."""
        try:
            with urllib.request.urlopen(f"http://{self.http}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def close(self) -> None:
        self.client.close()
        assert self._process is not None
        crashed = self._process.poll()
        self._process.terminate()
        try:
            code = self._process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            code = None
        log = (pathlib.Path(self._folder.name) / "log").read_text()
        self._folder.cleanup()
        if crashed is not None or code != 0:
            raise RuntimeError(f"the server {'crashed' if crashed else 'did not stop well'}, code {code}:\n{log}")

    def import_items(self, name: str, classes: Sequence[str], count: int) -> None:
        """A dataset of items without pixels."""
        request = wire.METHODS["ImportDataset"].request
        header = {"dataset": {"name": f"datasets/{name}", "classes": classes, "source": "test"}}
        items = [{"uri": f"none#{i}", "label": i % len(classes)} for i in range(count)]
        wire.METHODS["ImportDataset"].on(self.client._open())(
            iter([request(header=header), request(items={"items": items}), request(end={})])
        )

    def draft(
        self,
        task: str = "classification",
        architecture: str = "small-cnn",
        head: str = "classification",
        params: Optional[Mapping[str, Any]] = None,
        loss: str = "",
        reduction: str = "UNSPECIFIED",
        metrics: Sequence[str] = (),
        **training: Any,
    ) -> str:
        """The name of a new experiment that is not started."""
        number = next(self._numbers)
        dataset, split = f"data-{number}", f"splits/split-{number}"
        self.import_items(dataset, ["a", "b", "c"], 30)
        percent = {"train_percent": 70, "validation_percent": 10, "test_percent": 20}
        strategy = wire.STRATEGIES["RANDOM"]
        self.client.call(
            "CreateSplit",
            split={"name": split, "dataset": f"datasets/{dataset}", "task": task, "strategy": strategy, **percent},
        )
        named = {"head": head, "loss": loss, "params": struct(params or {}), "reduction": wire.REDUCTIONS[reduction]}
        experiment = {
            "name": f"experiments/experiment-{number}",
            "split": split,
            "architecture": architecture,
            "losses": [named] if loss or params else [],
            "metrics": metrics,
            "training": {"epochs": 2, "batch_size": 8, "learning_rate": 0.1, "world_size": 1, **training},
        }
        return self.client.call("CreateExperiment", experiment=experiment).name

    def experiment(self, **options: Any) -> Tuple[str, str]:
        """A started experiment, with options as in draft: its name and its workers' token."""
        name = self.draft(**options)
        return name, self.client.call("StartExperiment", name=name).attempt_token
