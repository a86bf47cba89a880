"""Two ranks under DistributedDataParallel against one process that has the whole batch."""

import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import unittest

import torch
import torch.nn.functional as F

from gradeline import wire
from server import BIN, Server

WEIGHTS = [0.5, 2.0, 1.25]


def setUpModule() -> None:
    global server
    server = Server(plugins_directories=f"[{BIN.parent / 'plugins' / 'example'}]")


def tearDownModule() -> None:
    server.close()


class RanksTest(unittest.TestCase):
    def setUp(self) -> None:
        torch.manual_seed(7)
        self.outputs = 3
        self.model = torch.nn.Linear(4, self.outputs, dtype=torch.float64)
        # Shares of different sizes, one of them with nothing valid, one batch with nothing valid at all.
        sizes = [(5, 3), (2, 6), (4, 4), (3, 3)]
        self.batches = [
            [(torch.randn(n, 4, dtype=torch.float64), torch.randint(0, 3, (n,))) for n in share]
            for share in zip(*sizes)
        ]
        self.batches[0][0][1][1] = -100
        self.batches[1][1][1][:] = -100
        for rank in range(2):
            self.batches[rank][3][1][:] = -100

    def train(self, rank_mean: str, **options) -> list:
        options = options or {"params": {"class_weights": WEIGHTS}}
        name, token = server.experiment(world_size=2, rank_mean=wire.RANK_MEANS[rank_mean], **options)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "task"
            torch.save({"model": self.model.state_dict(), "batches": self.batches}, file)
            shared = {
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": port,
                "WORLD_SIZE": "2",
                "GLOO_SOCKET_IFNAME": "lo",
                "GRADELINE_SERVER": server.address,
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
            self.assertEqual(wire.word(wire.STATES, server.client.experiment(name).state), "SUCCEEDED")
            return [torch.load(f"{file}.{rank}") for rank in range(2)]

    def expected(self, loss_of) -> tuple:
        model = torch.nn.Linear(4, self.outputs, dtype=torch.float64)
        model.load_state_dict(self.model.state_dict())
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
        for step, loss in enumerate(losses):  # the ranks' values average to the whole batch's loss
            mean = sum(result["losses"][step] for result in results) / 2
            self.assertAlmostEqual(mean, loss, delta=1e-12)

    def test_the_mean_over_ranks_is_that_of_the_whole_batch(self) -> None:
        weight = torch.tensor(WEIGHTS, dtype=torch.float64)
        sums = []

        def whole(model, shares):
            inputs, target = (torch.cat(parts) for parts in zip(*shares))
            total = F.cross_entropy(model(inputs), target, weight=weight, reduction="sum")
            denominator = sum(WEIGHTS[label] for label in target.tolist() if label >= 0)
            sums.append((total.item(), denominator))
            return total / denominator if denominator else total

        results = self.train("GLOBAL")
        self.check(results, *self.expected(whole))
        sealed = sum(total for total, _ in sums) / sum(denominator for _, denominator in sums)
        for result in results:
            self.assertAlmostEqual(result["sealed"], sealed, delta=1e-12)

    def test_a_loss_of_a_plugin_that_the_package_does_not_know(self) -> None:
        self.outputs = 1
        self.model = torch.nn.Linear(4, 1, dtype=torch.float64)
        self.batches = [
            [(inputs, torch.randn(len(inputs), 1, dtype=torch.float64)) for inputs, _ in share] for share in self.batches
        ]

        def whole(model, shares):
            inputs, target = (torch.cat(parts) for parts in zip(*shares))
            return (model(inputs) - target).cosh().log().mean()

        expected = self.expected(whole)
        for reduction in ("MEAN", "MEAN_ALL"):
            with self.subTest(reduction=reduction):
                options = {"task": "regression", "architecture": "mlp", "head": "value", "loss": "log_cosh"}
                self.check(self.train("GLOBAL", reduction=reduction, **options), *expected)

    def test_per_rank_is_the_mean_of_the_ranks_means(self) -> None:
        weight = torch.tensor(WEIGHTS, dtype=torch.float64)

        def mean_of_means(model, shares):
            values = []
            for inputs, target in shares:
                logits = model(inputs)
                valid = bool((target >= 0).any())
                values.append(F.cross_entropy(logits, target, weight=weight) if valid else 0 * logits.sum())
            return sum(values) / len(values)

        self.check(self.train("PER_RANK"), *self.expected(mean_of_means))


if __name__ == "__main__":
    unittest.main()
