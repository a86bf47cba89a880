"""A worker that says which colours are in an image: tagger.py FOLDER, the folder of the images.

Reads GRADELINE_SERVER, GRADELINE_EXPERIMENT and GRADELINE_TOKEN. Everything else is the experiment's.
"""

import pathlib
import sys

import numpy as np
import torch

import gradeline
import gradeline.torch
import painted


class Part:
    """All images and labels of a part, in the order of its items."""

    def __init__(self, client: gradeline.Client, split: str, part: str, classes: int, folder: pathlib.Path) -> None:
        items = list(client.items(split, part))
        self.pixels = torch.from_numpy(np.stack([painted.read(folder / item.uri) for item in items]))
        self.labels = torch.zeros(len(items), classes)
        for row, item in enumerate(items):
            self.labels[row, list(item.labels)] = 1


def main(folder: pathlib.Path) -> None:
    torch.set_num_threads(1)
    with gradeline.connect() as client, client.join() as worker:
        training, split = worker.experiment.training, worker.experiment.split
        classes = len(client.call("GetDataset", name=client.call("GetSplit", name=split).dataset).classes)
        train, validation = (Part(client, split, part, classes, folder) for part in ("train", "validation"))
        torch.manual_seed(training.seed)
        model = torch.nn.Sequential(
            torch.nn.Conv2d(3, 16, 3), torch.nn.ReLU(), torch.nn.AdaptiveMaxPool2d(1), torch.nn.Flatten(), torch.nn.Linear(16, classes)
        )
        optimiser = gradeline.torch.optimiser(worker, model.parameters())
        loss = gradeline.torch.Loss(worker)
        for epoch in worker.epochs():
            gradeline.torch.set_rate(worker, optimiser)
            order = torch.randperm(len(train.pixels), generator=torch.Generator().manual_seed(training.seed + epoch))
            with worker.phase("train", epoch):
                for rows in order.split(training.batch_size):
                    optimiser.zero_grad()
                    loss(model(train.pixels[rows]), train.labels[rows]).backward()
                    optimiser.step()
            with worker.phase("validation", epoch), torch.no_grad():
                loss(model(validation.pixels), validation.labels)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
