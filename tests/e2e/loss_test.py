"""gradeline.torch.Loss against PyTorch's own losses: values and gradients of every type."""

import unittest

import torch
import torch.nn.functional as F

import gradeline
import gradeline.torch
from server import Server

BOUNDS = {torch.float64: 1e-12, torch.float32: 1e-6, torch.float16: 1e-3, torch.bfloat16: 1e-2}
CLASS_WEIGHTS = [0.5, 2.0, 1.25]


def setUpModule() -> None:
    global server
    server = Server()


def tearDownModule() -> None:
    server.close()


class LossTest(unittest.TestCase):
    def setUp(self) -> None:
        torch.manual_seed(1)

    def open(self, **options) -> gradeline.torch.Loss:
        """The loss of a fresh experiment, in an open training phase."""
        name, token = server.experiment(**options)
        self.worker = server.client.join(name, token, 0, 1)
        self.addCleanup(self.worker._close)
        self.worker.phase("train", 0).__enter__()
        return gradeline.torch.Loss(self.worker)

    def check(self, loss: gradeline.torch.Loss, logits: torch.Tensor, reference, *targets, **inputs) -> None:
        """Value, and gradient under an upstream factor, for every type; `reference` computes in double."""
        for dtype, bound in BOUNDS.items():
            with self.subTest(dtype=dtype):
                own = logits.to(dtype).clone().requires_grad_()
                value = loss(own, *targets, **inputs)
                (3.5 * value).backward()
                exact = logits.to(dtype).double().clone().requires_grad_()
                expected = reference(exact)
                (3.5 * expected).backward()
                self.assertEqual(own.grad.dtype, dtype)
                self.assertLessEqual(abs(value.item() - expected.item()), min(bound, 1e-6) * abs(expected.item()))
                error = (own.grad.double() - exact.grad).abs().max().item()
                self.assertLessEqual(error, bound * exact.grad.abs().max().item())

    def test_cross_entropy(self) -> None:
        logits, target = 3 * torch.randn(7, 3, dtype=torch.float64), torch.tensor([0, 1, 2, 2, 1, 0, 0])
        self.check(self.open(), logits, lambda z: F.cross_entropy(z, target), target)

    def test_cross_entropy_with_every_parameter(self) -> None:
        logits, target = 3 * torch.randn(7, 3, dtype=torch.float64), torch.tensor([0, 1, 9, 2, 1, 9, 0])
        weights = torch.tensor(CLASS_WEIGHTS, dtype=torch.float64)
        loss = self.open(params={"class_weights": CLASS_WEIGHTS, "ignore_index": 9, "label_smoothing": 0.1})
        options = {"weight": weights, "ignore_index": 9, "label_smoothing": 0.1}
        self.check(loss, logits, lambda z: F.cross_entropy(z, target, **options), target)
        for kind in (torch.int32, torch.uint8):
            self.check(loss, logits, lambda z: F.cross_entropy(z, target, **options), target.to(kind))

    def test_cross_entropy_of_soft_targets(self) -> None:
        logits, target = torch.randn(5, 3, dtype=torch.float64), torch.rand(5, 3, dtype=torch.float64).softmax(1)
        reference = lambda z: F.cross_entropy(z, target)  # noqa: E731
        loss = self.open()
        own = logits.clone().requires_grad_()
        loss(own, target).backward()
        exact = logits.clone().requires_grad_()
        reference(exact).backward()
        self.assertLessEqual((own.grad - exact.grad).abs().max().item(), 1e-12)

    def test_binary_cross_entropy(self) -> None:
        logits, target = 3 * torch.randn(6, 3, dtype=torch.float64), torch.randint(0, 2, (6, 3))
        positive = [1.0, 3.0, 0.5]
        loss = self.open(task="tagging", architecture="resnet-multilabel", params={"pos_weight": positive})
        options = {"pos_weight": torch.tensor(positive, dtype=torch.float64)}
        self.check(
            loss, logits, lambda z: F.binary_cross_entropy_with_logits(z, target.double(), **options), target
        )
        weight = torch.rand(6, 3, dtype=torch.float64)
        own = logits.clone().requires_grad_()
        value = loss(own, target, weight=weight)
        each = F.binary_cross_entropy_with_logits(logits, target.double(), reduction="none", **options)
        self.assertAlmostEqual(value.item(), ((each * weight).sum() / weight.sum()).item(), delta=1e-12)

    def test_mse(self) -> None:
        values, target = torch.randn(6, 1, dtype=torch.float64), torch.randn(6, 1, dtype=torch.float64)
        loss = self.open(task="regression", architecture="mlp", head="value")
        own = values.clone().requires_grad_()
        value = loss(own, target)
        value.backward()
        exact = values.clone().requires_grad_()
        expected = F.mse_loss(exact, target)
        expected.backward()
        self.assertAlmostEqual(value.item(), expected.item(), delta=1e-12)
        self.assertLessEqual((own.grad - exact.grad).abs().max().item(), 1e-12)

    def test_asks_for_no_gradient_where_autograd_wants_none(self) -> None:
        loss = self.open()
        logits, target = torch.randn(4, 3, requires_grad=True), torch.tensor([0, 1, 2, 0])
        with torch.no_grad():
            self.assertFalse(loss(logits, target).requires_grad)
        self.assertEqual(loss.last_result.gradients, {})
        self.assertFalse(loss(logits.detach(), target).requires_grad)
        self.assertEqual(loss.last_result.gradients, {})
        self.assertTrue(loss(logits, target).requires_grad)
        self.assertEqual(list(loss.last_result.gradients), ["prediction"])

    def test_half_precision_survives_a_scaled_loss(self) -> None:
        loss = self.open()
        # Wide logits have small gradients, which float16 could not hold before they are scaled.
        logits, target = 12 * torch.randn(64, 3), torch.randint(0, 3, (64,))
        for dtype in (torch.float16, torch.bfloat16):
            for scale in (1024.0, 65536.0):
                with self.subTest(dtype=dtype, scale=scale):
                    own = logits.to(dtype).requires_grad_()
                    (loss(own, target) * scale).backward()
                    exact = logits.to(dtype).float().requires_grad_()
                    (F.cross_entropy(exact, target) * scale).backward()
                    largest = exact.grad.abs().max().item()
                    # One rounding to the type, after the factor.
                    rounding = {"rtol": torch.finfo(dtype).eps, "atol": 1e-6 * largest}
                    torch.testing.assert_close(own.grad, exact.grad.to(dtype), **rounding)

    def test_a_second_backward_needs_the_graph_to_be_retained(self) -> None:
        loss = self.open()
        logits, target = torch.randn(4, 3, requires_grad=True), torch.tensor([0, 1, 2, 0])
        value = loss(logits, target)
        value.backward(retain_graph=True)
        once = logits.grad.clone()
        value.backward()
        torch.testing.assert_close(logits.grad, 2 * once)
        with self.assertRaisesRegex(RuntimeError, "second time"):
            value.backward()

    def test_half_precision_under_autocast_is_sent_as_float32(self) -> None:
        loss = self.open()
        logits, target = torch.randn(4, 3, requires_grad=True), torch.tensor([0, 1, 2, 0])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = loss(logits.bfloat16(), target)
        self.assertEqual(value.dtype, torch.float32)
        self.assertEqual(loss.last_result.gradients["prediction"].dtype, "float32")

    def test_accumulated_gradients_are_those_of_the_whole(self) -> None:
        name, token = server.experiment()
        self.worker = server.client.join(name, token, 0, 1)
        self.addCleanup(self.worker._close)
        loss = gradeline.torch.Loss(self.worker, "classification")
        logits, target = torch.randn(8, 3, dtype=torch.float64), torch.randint(0, 3, (8,))
        own = logits.clone().requires_grad_()
        with self.worker.phase("train", 0, accumulation=2) as train:
            for part in (slice(0, 4), slice(4, 8)):
                (loss(own[part], target[part]) / 2).backward()
        exact = logits.clone().requires_grad_()
        F.cross_entropy(exact, target).backward()
        self.assertLessEqual((own.grad - exact.grad).abs().max().item(), 1e-12)
        self.assertEqual(train.sealed.batches, 2)
        self.assertAlmostEqual(train.sealed.loss, F.cross_entropy(logits, target).item(), delta=1e-12)

    def test_names_the_heads_there_are(self) -> None:
        self.open()
        with self.assertRaisesRegex(gradeline.GradelineError, 'head: "mask"; the experiment has classification'):
            gradeline.torch.Loss(self.worker, "mask")


if __name__ == "__main__":
    unittest.main()
