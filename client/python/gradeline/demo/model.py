"""The network of the demo: the catalog's small-cnn."""

from typing import List

import torch
from torch import nn

SIDE = 28  # pixels of an image's side


def small_cnn(
    classes: int, seed: int, channels: int = 32, blocks: int = 2, hidden: int = 128, dropout: float = 0
) -> nn.Module:
    """For grey images; parameters and their defaults are the catalog's. Equal weights for equal seeds."""
    torch.manual_seed(seed)
    layers: List[nn.Module] = []
    inner = 1
    for block in range(int(blocks)):
        outer = int(channels) << block
        layers += [nn.Conv2d(inner, outer, 3, padding=1), nn.MaxPool2d(2, ceil_mode=True), nn.ReLU()]
        inner = outer
    side = -(-SIDE // 2 ** int(blocks))
    layers += [nn.Flatten(), nn.Linear(inner * side * side, int(hidden)), nn.ReLU()]
    if dropout > 0:
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(int(hidden), classes))
