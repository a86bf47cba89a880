"""Two ranks under DistributedDataParallel against one process that has the whole batch."""

import unittest

import torch
import torch.nn.functional as F

from ranks import RanksCase
from server import BIN, Server

WEIGHTS = [0.5, 2.0, 1.25]


def setUpModule() -> None:
    RanksCase.server = Server(plugins_directories=f"[{BIN.parent / 'plugins' / 'example'}]")


def tearDownModule() -> None:
    RanksCase.server.close()


class RanksTest(RanksCase):
    def setUp(self) -> None:
        torch.manual_seed(7)
        self.model = torch.nn.Linear(4, 3, dtype=torch.float64)
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

    def test_the_mean_over_ranks_is_that_of_the_whole_batch(self) -> None:
        weight = torch.tensor(WEIGHTS, dtype=torch.float64)
        sums = []

        def whole(model, shares):
            inputs, target = (torch.cat(parts) for parts in zip(*shares))
            total = F.cross_entropy(model(inputs), target, weight=weight, reduction="sum")
            denominator = sum(WEIGHTS[label] for label in target.tolist() if label >= 0)
            sums.append((total.item(), denominator))
            return total / denominator if denominator else total

        results = self.train("GLOBAL", params={"class_weights": WEIGHTS})
        self.check(results, *self.expected(whole))
        sealed = sum(total for total, _ in sums) / sum(denominator for _, denominator in sums)
        for result in results:
            self.assertAlmostEqual(result["sealed"], sealed, delta=1e-12)

    def test_a_loss_of_a_plugin_that_the_package_does_not_know(self) -> None:
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

        self.check(self.train("PER_RANK", params={"class_weights": WEIGHTS}), *self.expected(mean_of_means))


if __name__ == "__main__":
    unittest.main()
