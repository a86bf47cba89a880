"""The network of the demo: the catalog's small-cnn."""

import torch
from torch import nn


def small_cnn(classes: int, seed: int) -> nn.Module:
    """Two convolutions and two dense layers for grey images of 28 x 28; equal weights for equal seeds."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 128),
        nn.ReLU(),
        nn.Linear(128, classes),
    )
