"""Made-up images for the demo, in a second's time."""

import gzip
import pathlib
import struct

import numpy as np


def make_images(path: pathlib.Path) -> None:
    """Ten kinds of noisy blocks, in Fashion-MNIST's files."""
    random = np.random.RandomState(5)
    kinds = random.randint(0, 256, (10, 4, 4)).repeat(7, 1).repeat(7, 2)
    for prefix, count in (("train", 300), ("t10k", 100)):
        labels = np.arange(count) % 10
        images = np.clip(kinds[labels] + random.randint(-40, 41, (count, 28, 28)), 0, 255)
        for name, array in ((f"{prefix}-images-idx3-ubyte.gz", images), (f"{prefix}-labels-idx1-ubyte.gz", labels)):
            header = struct.pack(f">BBBB{array.ndim}i", 0, 0, 8, array.ndim, *array.shape)
            with gzip.open(path / name, "wb") as file:
                file.write(header + array.astype(np.uint8).tobytes())
