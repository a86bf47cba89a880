"""One rank of ranks_test: trains a linear model on its share of fixed batches, and saves what came out.

rank.py FILE: FILE has the batches of all ranks; FILE.<rank> gets the rank's parameters and losses.
"""

import os
import sys

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

import gradeline
import gradeline.torch


def main(file: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank = int(os.environ["RANK"])
    task = torch.load(file)
    model = torch.nn.Linear(4, len(task["model"]["bias"]), dtype=torch.float64)
    model.load_state_dict(task["model"])
    parallel = DistributedDataParallel(model)
    optimiser = torch.optim.SGD(parallel.parameters(), lr=0.5)
    losses = []
    with gradeline.connect().join() as worker:
        loss = gradeline.torch.Loss(worker)
        with worker.phase("train", 0) as train:
            for inputs, target in task["batches"][rank]:
                optimiser.zero_grad()
                value = loss(parallel(inputs), target)
                value.backward()
                optimiser.step()
                losses.append(value.item())
    torch.save({"model": model.state_dict(), "losses": losses, "sealed": train.sealed.loss}, f"{file}.{rank}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])
