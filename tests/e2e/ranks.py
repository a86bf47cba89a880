"""Experiments that two ranks train under DistributedDataParallel, beside what one process computes."""

import copy
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import unittest
from typing import Any, Callable, List, Sequence, Tuple

import torch

from gradeline import wire
from server import Server


class RanksCase(unittest.TestCase):
    """A test sets `model` and `batches`, one list of (inputs, target) per rank, and on the class `server`."""

    server: Server
    model: torch.nn.Module
    batches: List[Sequence[Tuple[torch.Tensor, torch.Tensor]]]

    def train(self, rank_mean: str, normalisers: Any = None, **options: Any) -> list:
        """What rank.py saved on each rank. normalisers: by rank and step. options: as in Server.draft."""
        name, token = self.server.experiment(world_size=2, rank_mean=wire.RANK_MEANS[rank_mean], **options)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "task"
            torch.save({"model": self.model, "batches": self.batches, "normalisers": normalisers}, file)
            shared = {
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": port,
                "WORLD_SIZE": "2",
                "GLOO_SOCKET_IFNAME": "lo",
                "GRADELINE_SERVER": self.server.address,
                "GRADELINE_EXPERIMENT": name,
                "GRADELINE_TOKEN": token,
            }
            script = pathlib.Path(__file__).with_name("rank.py")
            ranks = [
                subprocess.Popen([sys.executable, script, file], env={**os.environ, **shared, "RANK": str(rank)})
                for rank in range(2)
            ]
            try:
                codes = [rank.wait(120) for rank in ranks]
            finally:
                for rank in ranks:
                    rank.kill()
                    rank.wait()
            self.assertEqual(codes, [0, 0])
            self.assertEqual(wire.word(wire.STATES, self.server.client.experiment(name).state), "SUCCEEDED")
            return [torch.load(f"{file}.{rank}") for rank in range(2)]

    def expected(self, loss_of: Callable) -> tuple:
        """Parameters and losses with loss_of(model, the ranks' shares of a batch), in one process."""
        model = copy.deepcopy(self.model)
        optimiser = torch.optim.SGD(model.parameters(), lr=0.5)
        losses = []
        for shares in zip(*self.batches):
            optimiser.zero_grad()
            loss = loss_of(model, shares)
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        return model.state_dict(), losses

    def check(self, results: list, model: dict, losses: list) -> None:
        for result in results:
            for name, value in model.items():
                self.assertLessEqual((result["model"][name] - value).abs().max().item(), 1e-12, name)
        for step, loss in enumerate(losses):  # the ranks' values average to the loss
            mean = sum(result["losses"][step] for result in results) / 2
            self.assertAlmostEqual(mean, loss, delta=1e-12)
