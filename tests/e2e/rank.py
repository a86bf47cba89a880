"""One rank of RanksCase: trains its model on the rank's share of fixed batches, and saves what came out.

rank.py FILE: FILE has the batches of all ranks; FILE.<rank> gets the rank's parameters, losses and what was refused.
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
    model, batches = task["model"], task["batches"][rank]
    normalisers = task["normalisers"][rank] if task["normalisers"] else [None] * len(batches)
    parallel = DistributedDataParallel(model)
    optimiser = torch.optim.SGD(parallel.parameters(), lr=0.5)
    losses, refused = [], []
    with gradeline.connect().join() as worker:
        loss = gradeline.torch.Loss(worker)
        with worker.phase("train", 0) as train:
            for (inputs, target), normaliser in zip(batches, normalisers):
                optimiser.zero_grad()
                try:
                    value = loss(parallel(inputs), target, normaliser=normaliser)
                except gradeline.Refused as refusal:
                    refused += refusal.violations
                    continue
                value.backward()
                optimiser.step()
                losses.append(value.item())
    result = {"model": model.state_dict(), "losses": losses, "refused": refused, "sealed": train.sealed.loss}
    torch.save(result, f"{file}.{rank}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])
