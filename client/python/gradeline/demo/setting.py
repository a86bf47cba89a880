"""Dataset, split and experiment of the demo: found on the server, or made there."""

import pathlib
import re
import subprocess
import sys
from typing import Any, Optional, Tuple

import gradeline
from gradeline import wire
from gradeline.client import struct

DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")  # Debian's package dataset-fashion-mnist


def ensure_dataset(client: gradeline.Client, name: str, data: pathlib.Path, cli: Optional[pathlib.Path]) -> Any:
    """The dataset; imports the idx files of a folder through the command line program if the server lacks it."""
    try:
        return client.call("GetDataset", name=f"datasets/{name}")
    except gradeline.GradelineError as error:
        if error.code != "NOT_FOUND":
            raise
    if cli is None:
        raise gradeline.GradelineError("NOT_FOUND", f"the server has no dataset {name}; give --cli to import {data}")
    command = [str(cli), "--server", client.address, "import", "dataset", name, "--format", "idx", "--from", str(data)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    return client.call("GetDataset", name=f"datasets/{name}")


def ensure_split(client: gradeline.Client, dataset: str, seed: int) -> Any:
    """The dataset's split into 70, 10 and 20 per cent by a seed."""
    name = f"splits/{dataset}-70-10-20-seed-{seed}"
    try:
        return client.call("GetSplit", name=name)
    except gradeline.GradelineError as error:
        if error.code != "NOT_FOUND":
            raise
    split = {
        "name": name,
        "dataset": f"datasets/{dataset}",
        "task": "classification",
        "strategy": wire.STRATEGIES["STRATIFIED"],
        "train_percent": 70,
        "validation_percent": 10,
        "test_percent": 20,
        "seed": seed,
    }
    return client.call("CreateSplit", split=split)


def create_experiment(client: gradeline.Client, split: str, training: Any) -> Any:
    """A new experiment with the next free name: demo-1, demo-2 ..."""
    names = (experiment.name for experiment in client.pages("ListExperiments", "experiments"))
    taken = [int(found[1]) for found in (re.fullmatch(r"experiments/demo-(\d{1,9})", name) for name in names) if found]
    number = max(taken, default=0) + 1
    while True:
        wanted = {
            "name": f"experiments/demo-{number}",
            "split": split,
            "architecture": "small-cnn",
            "architecture_parameters": struct({"channels": 16, "blocks": 2, "hidden": 128}),
            "metrics": ["accuracy", "f_score", "confusion_matrix"],
            "training": training,
        }
        try:
            return client.call("CreateExperiment", experiment=wanted)
        except gradeline.GradelineError as error:
            if error.code != "ALREADY_EXISTS":
                raise
            number += 1


def ended_well(client: gradeline.Client, experiment: str) -> bool:
    """Whether there is nothing to resume, whatever became of the ranks' processes."""
    return wire.word(wire.STATES, client.experiment(experiment).state) in ("SUCCEEDED", "EARLY_STOPPED")


def resume(client: gradeline.Client, experiment: str, first_epoch: int) -> str:
    """Opens the next attempt with an epoch; its workers' token."""
    return client.call("ResumeExperiment", name=experiment, first_epoch=first_epoch).attempt_token


def start(client: gradeline.Client, experiment: str) -> Tuple[Any, str]:
    """The started experiment and its workers' token."""
    started = client.call("StartExperiment", name=experiment)
    return started.experiment, started.attempt_token
