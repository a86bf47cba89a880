"""Runs the demo against a server: data, split, experiment, two ranks, and live losses on standard error.

Prints one JSON line of facts on standard output; exit code 0 only if the model really learned.
"""

import argparse
import json
import pathlib
import queue
import signal
import sys
import tempfile
import threading
import time
from typing import Any, Optional, Tuple

import gradeline
from gradeline import wire
from gradeline.client import struct
from gradeline.demo import checkpoint, setting
from gradeline.demo.facts import facts, shortfalls
from gradeline.demo.progress import Progress
from gradeline.demo.ranks import Ranks


def parse(arguments: Optional[list] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gradeline.demo", description=__doc__)
    parser.add_argument("--server", help="address (default: GRADELINE_SERVER, then 127.0.0.1:50051)")
    parser.add_argument("--cli", type=pathlib.Path, help="the gradeline program, to import the dataset")
    parser.add_argument("--data", type=pathlib.Path, default=setting.DATA, help="folder of the idx files")
    parser.add_argument("--dataset", default="fashion-mnist", help="its name on the server")
    parser.add_argument("--accuracy", type=float, default=0.88, help="validation accuracy that counts as learned")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=128, help="per rank")
    parser.add_argument("--learning-rate", type=float, default=0.003)
    parser.add_argument("--restarts", type=int, default=2, help="how often to go on from a checkpoint when a rank fails")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(arguments)


def main() -> int:
    options = parse()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # cleans up like Ctrl-C
    client = gradeline.connect(options.server, patience=60.0)  # a server that starts again is no reason to give up
    try:
        return run(client, options)
    except gradeline.GradelineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def run(client: gradeline.Client, options: argparse.Namespace) -> int:
    began = time.monotonic()
    setting.ensure_dataset(client, options.dataset, options.data, options.cli)
    split = setting.ensure_split(client, options.dataset, options.seed)
    training = {
        "epochs": options.epochs,
        "batch_size": options.batch_size,
        "learning_rate": options.learning_rate,
        "seed": options.seed,
        "world_size": options.ranks,
        "rank_mean": wire.RANK_MEANS["GLOBAL"],
        "solver": "adam",
        "scheduler": "cosine_annealing_lr",
        "scheduler_parameters": struct({"t_max": options.epochs}),
    }
    experiment = setting.create_experiment(client, split.name, training)
    _, token = setting.start(client, experiment.name)
    progress = Progress(sys.stderr, options.epochs)
    joined = 0
    try:
        with tempfile.TemporaryDirectory(prefix="gradeline-demo-") as folder:
            checkpoints = pathlib.Path(folder)
            for restarts_left in reversed(range(options.restarts + 1)):
                seen, failed = attempt(client, experiment.name, token, checkpoints, progress, options)
                joined = max(joined, seen)
                if not failed or restarts_left == 0 or setting.ended_well(client, experiment.name):
                    break
                done = checkpoint.newest(checkpoints)
                token = setting.resume(client, experiment.name, 0 if done is None else done + 1)
    except KeyboardInterrupt:
        _cancel(client, experiment.name)
        progress.line(f"{experiment.name} cancelled")
        return 130
    return report(facts(client, experiment.name, joined, time.monotonic() - began), options, progress)


def attempt(
    client: gradeline.Client,
    experiment: str,
    token: str,
    checkpoints: pathlib.Path,
    progress: Progress,
    options: argparse.Namespace,
) -> Tuple[int, bool]:
    """Runs one attempt to its end. Returns how many ranks were seen, and whether a rank's process failed."""
    environment = {
        "GRADELINE_SERVER": client.address,
        "GRADELINE_EXPERIMENT": experiment,
        "GRADELINE_TOKEN": token,
    }
    ranks = Ranks(options.ranks, environment, options.data, checkpoints)
    try:
        joined = follow(client, experiment, ranks, progress)
        failed = ranks.failed_after(10.0)
        if failed is not None:
            progress.line(f"rank {failed} failed:\n{ranks.output(failed)}")
        return joined, failed is not None
    finally:
        ranks.end()


def follow(client: gradeline.Client, experiment: str, ranks: Ranks, progress: Progress) -> int:
    """Shows what happens until the experiment or a rank ends. Returns how many ranks were seen."""
    events: "queue.SimpleQueue[Any]" = queue.SimpleQueue()
    watch = (client, experiment, progress.revision, events)
    threading.Thread(target=_watch, args=watch, daemon=True).start()
    joined = 0
    while True:
        try:
            event = events.get(timeout=0.5)
        except queue.Empty:
            if ranks.failed() is not None:
                _cancel(client, experiment)
                return joined
            continue
        if event is None:
            return joined
        if isinstance(event, gradeline.GradelineError):
            raise event
        if event.WhichOneof("event") == "progress":
            joined = max(joined, event.progress.ranks_joined)
        progress.show(event)


def _watch(client: gradeline.Client, experiment: str, revision: int, events: "queue.SimpleQueue[Any]") -> None:
    try:
        for event in client.watch(experiment, revision):
            events.put(event)
        events.put(None)
    except gradeline.GradelineError as error:
        events.put(error)


def _cancel(client: gradeline.Client, experiment: str) -> None:
    try:
        client.call("CancelExperiment", name=experiment)
    except gradeline.GradelineError as error:
        if error.code != "FAILED_PRECONDITION":  # it has ended by itself
            raise


def report(found: dict, options: argparse.Namespace, progress: Progress) -> int:
    """Prints the facts and judges them: the exit code."""
    accuracies = found["validationAccuracy"]
    progress.line(
        f"{found['experiment']} {found['state']} after {found['seconds']} s: validation accuracy "
        f"{max(accuracies, default=0.0):.4f}, test accuracy {found['testAccuracy'] or 0.0:.4f}"
    )
    print(json.dumps(found), flush=True)
    reasons = shortfalls(found, options.accuracy)
    for reason in reasons:
        progress.line(f"not learned: {reason}")
    return 1 if reasons else 0


if __name__ == "__main__":
    sys.exit(main())
