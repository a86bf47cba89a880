"""One rank of the demo: plain PyTorch under DistributedDataParallel, with loss and gradient from the server.

Reads RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT (as torchrun sets them) and GRADELINE_SERVER, GRADELINE_EXPERIMENT,
GRADELINE_TOKEN. Equal seeds give equal bits: one thread, fixed orders, deterministic kernels.
"""

import argparse
import math
import pathlib
from typing import Optional

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

import gradeline
import gradeline.torch
from gradeline.demo.images import Images, batches
from gradeline.demo.model import small_cnn
from gradeline.demo.schedule import warm_up_and_decay

EVALUATION_BATCH = 500


class Trainer:
    """The training loop of one rank."""

    def __init__(self, client: gradeline.Client, worker: gradeline.Worker, folder: Optional[pathlib.Path]) -> None:
        self.worker, self.training = worker, worker.experiment.training
        self.split = client.call("GetSplit", name=worker.experiment.split)
        dataset = client.call("GetDataset", name=self.split.dataset)
        self.folder = folder or pathlib.Path(dataset.source.partition(":")[2])
        self.parts = {part: self._images(client, part) for part in ("train", "validation", "test")}
        share = self.split.train_count // worker.world_size
        self.steps = max(1, math.ceil(share / self.training.batch_size))
        architecture = dict(worker.experiment.architecture_parameters)
        self.model = DistributedDataParallel(small_cnn(len(dataset.classes), self.training.seed, **architecture))
        self.optimiser = torch.optim.Adam(self.model.parameters())
        self.loss = gradeline.torch.Loss(worker)

    def _images(self, client: gradeline.Client, part: str) -> Images:
        items = client.items(self.split.name, part, self.worker.rank, self.worker.world_size)
        return Images(items, self.folder)

    def run(self) -> None:
        for epoch in range(self.training.epochs):
            self.train(epoch)
            self.evaluate("validation", epoch)
        self.evaluate("test", self.training.epochs - 1)

    def train(self, epoch: int) -> None:
        images = self.parts["train"]
        order = torch.Generator().manual_seed((self.training.seed * 1_000_003 + epoch) * 4_096 + self.worker.rank)
        shuffled = torch.randperm(len(images), generator=order)
        total = self.steps * self.training.epochs
        self.model.train()
        with self.worker.phase("train", epoch):
            for step, chosen in enumerate(batches(shuffled, self.training.batch_size, self.steps)):
                rate = self.training.learning_rate * warm_up_and_decay(epoch * self.steps + step, total)
                for group in self.optimiser.param_groups:
                    group["lr"] = rate
                pixels, labels = images.batch(chosen)
                self.optimiser.zero_grad()
                self.loss(self.model(pixels), labels).backward()
                self.optimiser.step()

    def evaluate(self, phase: str, epoch: int) -> None:
        images = self.parts[phase]
        self.model.eval()
        with self.worker.phase(phase, epoch), torch.no_grad():
            for chosen in torch.arange(len(images)).split(EVALUATION_BATCH):
                pixels, labels = images.batch(chosen)
                self.loss(self.model.module(pixels), labels)


def main() -> None:
    parser = argparse.ArgumentParser(prog="gradeline.demo.trainer", description=__doc__)
    parser.add_argument("--data", type=pathlib.Path, help="folder of the idx files (default: where they were imported)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    dist.init_process_group("gloo")
    with gradeline.connect() as client, client.join() as worker:
        Trainer(client, worker, arguments.data).run()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
