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
from gradeline.demo import checkpoint
from gradeline.demo.images import Images, batches
from gradeline.demo.model import small_cnn

EVALUATION_BATCH = 500


class Trainer:
    """The training loop of one rank."""

    def __init__(
        self,
        client: gradeline.Client,
        worker: gradeline.Worker,
        folder: Optional[pathlib.Path],
        checkpoints: Optional[pathlib.Path],
    ) -> None:
        self.client, self.worker, self.training = client, worker, worker.experiment.training
        self.checkpoints = checkpoints
        self.split = client.call("GetSplit", name=worker.experiment.split)
        dataset = client.call("GetDataset", name=self.split.dataset)
        self.folder = folder or pathlib.Path(dataset.source.partition(":")[2])
        self.parts = {part: self._images(client, part) for part in ("train", "validation", "test")}
        share = self.split.train_count // worker.world_size
        self.steps = self.training.iterations or max(1, math.ceil(share / self.training.batch_size))
        architecture = dict(worker.experiment.architecture_parameters)
        self.model = DistributedDataParallel(small_cnn(len(dataset.classes), self.training.seed, **architecture))
        self.optimiser = gradeline.torch.optimiser(worker, self.model.parameters())
        self.loss = gradeline.torch.Loss(worker)

    def _images(self, client: gradeline.Client, part: str) -> Images:
        items = client.items(self.split.name, part, self.worker.rank, self.worker.world_size)
        return Images(items, self.folder)

    def run(self) -> None:
        epoch = self.worker.first_epoch - 1
        if epoch >= 0:
            self.restore(epoch)
        for epoch in self.worker.epochs():
            self.train(epoch)
            self.save(epoch)
            self.evaluate("validation", epoch)
        self.evaluate("test", epoch)

    def save(self, epoch: int) -> None:
        if self.checkpoints is None or self.worker.rank != 0:
            return
        seq = self.worker.flush()
        position = {"attempt": self.worker.attempt, "epoch": epoch, "steps": self.steps, "seq": seq}
        state = {"position": position, "model": self.model.module.state_dict(), "optimiser": self.optimiser.state_dict()}
        checkpoint.save(self.checkpoints, epoch, state)

    def restore(self, epoch: int) -> None:
        """Goes on where an earlier attempt's epoch was trained; evaluates it if that attempt did not come to it."""
        if self.checkpoints is None:
            raise SystemExit(f"the attempt goes on after epoch {epoch}: give --checkpoints, the folder with its state")
        state = checkpoint.load(self.checkpoints, epoch)
        self.model.module.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        sealed = self.client.epochs(self.worker.experiment.name)
        if not any(seal.phase == "validation" and seal.epoch == epoch and seal.complete for seal in sealed):
            self.evaluate("validation", epoch)

    def train(self, epoch: int) -> None:
        images = self.parts["train"]
        order = torch.Generator().manual_seed((self.training.seed * 1_000_003 + epoch) * 4_096 + self.worker.rank)
        shuffled = torch.randperm(len(images), generator=order)
        if self.training.iterations:  # so many steps, from the beginning again where the images do not last
            wanted = self.steps * self.training.batch_size
            shuffled = shuffled.repeat(-(-wanted // len(shuffled)))[:wanted]
        gradeline.torch.set_rate(self.worker, self.optimiser)
        self.model.train()
        with self.worker.phase("train", epoch):
            for chosen in batches(shuffled, self.training.batch_size, self.steps):
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
    parser.add_argument("--checkpoints", type=pathlib.Path, help="folder to keep the state after each epoch in")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    dist.init_process_group("gloo")
    with gradeline.connect() as client, client.join() as worker:
        Trainer(client, worker, arguments.data, arguments.checkpoints).run()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
