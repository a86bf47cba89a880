"""Images of a split's items, read from idx files. The server knows labels and addresses; the pixels come from here."""

import functools
import gzip
import pathlib
from typing import Any, Iterable, List, Tuple

import numpy as np
import torch

# Mean and deviation of Fashion-MNIST's pixels in [0, 1].
_MEAN, _DEVIATION = 0.2860, 0.3530


@functools.lru_cache(maxsize=None)
def read_idx(path: pathlib.Path) -> np.ndarray:
    """An idx file of unsigned bytes, gzipped or not."""
    opened = gzip.open(path) if path.suffix == ".gz" else open(path, "rb")
    with opened as file:
        data = file.read()
    if data[:3] != b"\0\0\x08":
        raise ValueError(f"{path}: not an idx file of unsigned bytes")
    shape = np.frombuffer(data, ">i4", count=data[3], offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(tuple(shape))


class Images:
    """The images and labels of some items, in memory as bytes."""

    def __init__(self, items: Iterable[Any], folder: pathlib.Path) -> None:
        found: List[np.ndarray] = []
        labels: List[int] = []
        for item in items:
            file, _, number = item.uri.rpartition("#")
            found.append(read_idx(folder / file)[int(number)])
            labels.append(item.label)
        self._pixels = torch.from_numpy(np.stack(found))
        self._labels = torch.tensor(labels, dtype=torch.int64)

    def __len__(self) -> int:
        return len(self._labels)

    def batch(self, chosen: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
        """Images [N, 1, height, width] around 0, and labels."""
        pixels = self._pixels[chosen].unsqueeze(1).to(torch.float32)
        return (pixels / 255 - _MEAN) / _DEVIATION, self._labels[chosen]


def batches(order: torch.Tensor, size: int, count: int) -> List[torch.Tensor]:
    """An order cut into exactly count batches of size, so that all ranks make the same number of steps; the last one
    takes what is left."""
    cuts = [order[i * size : (i + 1) * size] for i in range(count - 1)]
    return cuts + [order[(count - 1) * size :]]
