"""Checkpoints of the demo: one file per epoch that was trained and sealed, written whole or not at all."""

import os
import pathlib
from typing import Any, Dict, Optional

import torch


def save(folder: pathlib.Path, epoch: int, state: Dict[str, Any]) -> None:
    """Keeps the state after an epoch's training; the caller has made sure that the epoch is durable on the server."""
    target = _path(folder, epoch)
    part = target.with_suffix(".part")
    with open(part, "wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, target)


def load(folder: pathlib.Path, epoch: int) -> Dict[str, Any]:
    """The state after an epoch's training."""
    return torch.load(_path(folder, epoch))


def newest(folder: pathlib.Path) -> Optional[int]:
    """The last epoch that has a checkpoint."""
    return max((int(path.stem.partition("-")[2]) for path in folder.glob("epoch-*.pt")), default=None)


def _path(folder: pathlib.Path, epoch: int) -> pathlib.Path:
    return folder / f"epoch-{epoch}.pt"
