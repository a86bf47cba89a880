"""Makes gradeline.db and expected.json beside it, with the programs in GRADELINE_BIN:

    PYTHONPATH=client/python:tests/e2e GRADELINE_BIN=build/release/bin /usr/bin/python3 tests/e2e/schema_0001/make.py

They were made once, by the last program whose newest schema was 0001, and stand for what users of it have: do not make
them anew. db_test.py opens the database with the present program.
"""

import json
import pathlib
import sqlite3
import subprocess

import numpy as np
from google.protobuf.json_format import MessageToDict

from server import BIN, Server

HERE = pathlib.Path(__file__).parent
HEAD = "classification"


def inputs(step: int) -> dict:
    random = np.random.RandomState(step)
    return {"prediction": random.randn(4, 3), "target": random.randint(0, 3, 4)}


def facts(server: Server, name: str) -> dict:
    """What the API says of an experiment."""
    epochs = [MessageToDict(epoch) for epoch in server.client.pages("ListEpochs", "epochs", parent=name)]
    return {"experiment": MessageToDict(server.client.experiment(name)), "epochs": epochs}


def main() -> None:
    server = Server()
    started = [server.experiment(metrics=["accuracy"]) for _ in range(3)]
    workers = [server.client.join(name, token, 0, 1) for name, token in started]
    for worker in workers:
        for step in range(3):
            worker.batch("train", 0, step, HEAD, inputs(step))
        worker.end_phase("train", 0)
        worker.batch("validation", 0, 0, HEAD, inputs(3))
        worker.end_phase("validation", 0)
        for step in range(2):
            worker.batch("train", 1, step, HEAD, inputs(4 + step))
        worker.flush()
    finished, cancelled, unfinished = (name for name, _ in started)
    workers[0].end_phase("train", 1)
    workers[0].finish()
    server.client.call("CancelExperiment", name=cancelled)
    subprocess.run([BIN / "gradeline", "db", "backup", "--server", server.address, "--to", HERE / "gradeline.db"], check=True)
    expected = {name: facts(server, name) for name in (finished, cancelled)}
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")
    with sqlite3.connect(HERE / "gradeline.db") as database:
        assert database.execute("PRAGMA user_version").fetchone() == (1,)
    for worker in workers:
        worker._close()
    server.close()


if __name__ == "__main__":
    main()
