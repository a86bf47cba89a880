"""One rank of drain_test: reports fixed batches, as many under way as the server lets it.

drain_rank.py EPOCHS STEPS: says "train 0" when half of that phase's batches are on their way, and last a digest of
every answer that it got, in the order of steps.
"""

import hashlib
import os
import sys
from typing import Any

import numpy as np

import gradeline

ROWS, CLASSES = 500, 3


def inputs(phase: str, epoch: int, step: int, rank: int) -> dict:
    random = np.random.RandomState([len(phase), epoch, step, rank])
    rows = ROWS + rank
    return {"prediction": random.randn(rows, CLASSES).astype(np.float32), "target": random.randint(0, CLASSES, rows)}


def run_phase(worker: gradeline.Worker, phase: str, epoch: int, steps: int, answers: Any) -> None:
    futures = []
    for step in range(steps):
        if step == steps // 2:
            print(phase, epoch, flush=True)
        batch = inputs(phase, epoch, step, worker.rank)
        futures.append(worker.submit(phase, epoch, step, "classification", batch, gradient=phase == "train"))
    for future in futures:
        result = future.result()
        answers.update(np.float64(result.loss).tobytes())
        for gradient in result.gradients.values():
            answers.update(gradient.tobytes())
    worker.end_phase(phase, epoch)


def main(epochs: int, steps: int) -> None:
    answers = hashlib.sha256()
    with gradeline.connect().join() as worker:
        for epoch in range(epochs):
            for phase in ("train", "validation"):
                run_phase(worker, phase, epoch, steps, answers)
    print(answers.hexdigest(), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
