"""Two ranks with losses that are aggregates in part: items as in the whole batch, aggregates averaged over ranks."""

import unittest

import torch
import torch.nn.functional as F

from ranks import RanksCase
from server import Server

IGNORED = 255  # pixel heads of the catalog
WITHOUT_FIRST = [0.0, 1.0, 2.0]
HEAD = {"task": "semantic-segmentation", "architecture": "u-net", "head": "segmentation"}


def setUpModule() -> None:
    RanksCase.server = Server()


def tearDownModule() -> None:
    RanksCase.server.close()


def entropy(model, shares, denominator=None, **options):
    """Over the whole batch; by the valid pixels if no denominator is given, and 0 where there is none."""
    inputs, target = (torch.cat(parts) for parts in zip(*shares))
    total = F.cross_entropy(model(inputs), target, ignore_index=IGNORED, reduction="sum", **options)
    if denominator is None:
        denominator = int((target != IGNORED).sum())
    return total / denominator if denominator else 0 * total


def overlap(model, share, union):
    """1 - Dice, or 1 - IoU, of one rank's share; classes that it lacks are left out."""
    inputs, target = share
    valid = target != IGNORED
    if not valid.any():
        return 0 * model(inputs).sum()
    p = model(inputs).softmax(1).movedim(1, -1)[valid]
    y = F.one_hot(target[valid], 3).double()
    both, apart = (p * y).sum(0), (p * (1 - y) + (1 - p) * y).sum(0)
    score = both / (both + apart) if union else 2 * both / (2 * both + apart)
    return (1 - score)[y.sum(0) > 0].mean()


def mean_overlap(model, shares, union=False):
    return sum(overlap(model, share, union) for share in shares) / len(shares)


class RegionRanksTest(RanksCase):
    def setUp(self) -> None:
        torch.manual_seed(7)
        self.model = torch.nn.Conv2d(4, 3, 1, dtype=torch.float64)
        # Shares of different sizes, some pixels ignored, one share with nothing valid, one batch with nothing valid.
        sizes = [(3, 1, 2, 1), (1, 2, 2, 2)]
        self.batches = [
            [(torch.randn(n, 4, 2, 3, dtype=torch.float64), torch.randint(0, 3, (n, 2, 3))) for n in share]
            for share in sizes
        ]
        self.batches[0][0][1][:2, 1] = IGNORED
        self.batches[1][1][1][:] = IGNORED
        for rank in range(2):
            self.batches[rank][3][1][:] = IGNORED

    def compare(self, loss_of, loss: str, **options) -> None:
        self.check(self.train("GLOBAL", loss=loss, **HEAD, **options), *self.expected(loss_of))

    def test_items_of_pixels_are_those_of_the_whole_batch(self) -> None:
        self.compare(entropy, "cross_entropy")

    def test_an_aggregate_is_the_mean_over_ranks(self) -> None:
        self.compare(mean_overlap, "dice")

    def test_a_sum_has_both(self) -> None:
        self.compare(lambda model, shares: entropy(model, shares) + mean_overlap(model, shares), "cross_entropy+dice")

    def test_a_loss_with_components_of_both_kinds(self) -> None:
        def halves(model, shares):
            return (entropy(model, shares) + mean_overlap(model, shares, union=True)) / 2

        self.compare(halves, "cross_entropy_iou_2d")

    def test_mean_all_divides_the_items_by_all_of_them(self) -> None:
        def by_all(model, shares):
            pixels = sum(target.numel() for _, target in shares)
            return entropy(model, shares, pixels) + mean_overlap(model, shares)

        self.compare(by_all, "cross_entropy+dice", reduction="MEAN_ALL")

    def test_a_sum_is_the_sum_over_ranks(self) -> None:
        def sums(model, shares):
            return 0.1 * entropy(model, shares, 1) + 2 * mean_overlap(model, shares)

        self.compare(sums, "cross_entropy+dice", reduction="SUM", params={"cross_entropy.weight": 0.1})

    def test_given_normalisers_are_added_up(self) -> None:
        given = [[[3.0, 1.0], [0.0, 1.0], [2.5, 1.0], [1.0, 1.0]], [[5.0, 1.0], [4.0, 1.0], [2.0, 1.0], [1.0, 1.0]]]
        totals = iter([8, 4, 4.5, 2])

        def by_given(model, shares):
            return entropy(model, shares, next(totals)) + mean_overlap(model, shares)

        self.compare(by_given, "cross_entropy+dice", reduction="GIVEN", normalisers=given)

    def test_given_normalisers_that_add_up_to_0_are_refused(self) -> None:
        self.batches = [share[:1] for share in self.batches]
        given = [[[0.0, 1.0]], [[0.0, 1.0]]]
        for result in self.train("GLOBAL", loss="cross_entropy+dice", reduction="GIVEN", normalisers=given, **HEAD):
            self.assertEqual([field for field, _ in result["refused"]], ["normalisers[0]"])

    def test_a_component_that_nothing_counts_for_adds_nothing(self) -> None:
        # Smoothing gives the cross-entropy a numerator where its denominator, the weights of the labels, is 0.
        for rank in range(2):
            for _, target in self.batches[rank]:
                target[target != IGNORED] = 0
        params = {"cross_entropy.class_weights": WITHOUT_FIRST, "cross_entropy.label_smoothing": 0.1}
        self.compare(mean_overlap, "cross_entropy+dice", params=params)


if __name__ == "__main__":
    unittest.main()
