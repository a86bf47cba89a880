"""Small idx files for tests: images and labels of MNIST's format."""

import gzip
import struct


def labels(values, magic=0x801):
    return struct.pack(">II", magic, len(values)) + bytes(values)


def images(count, rows=2, columns=3, magic=0x803):
    return struct.pack(">IIII", magic, count, rows, columns) + bytes(i % 256 for i in range(count * rows * columns))


def write(folder, prefix, values, compressed=True):
    """PREFIX-images and PREFIX-labels with one image per value."""
    ending, squeeze = (".gz", gzip.compress) if compressed else ("", bytes)
    (folder / f"{prefix}-labels-idx1-ubyte{ending}").write_bytes(squeeze(labels(values)))
    (folder / f"{prefix}-images-idx3-ubyte{ending}").write_bytes(squeeze(images(len(values))))
