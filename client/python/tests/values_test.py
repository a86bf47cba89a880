"""Tensors, errors, backoff, denominators and import: what needs no server."""

import math
import socket
import subprocess
import sys
import unittest

import numpy as np

import gradeline
from gradeline import errors, results, tensors, wire
from gradeline.backoff import Backoff
from gradeline.client import struct
from gradeline.denominators import denominators


def nobody_listens(case: unittest.TestCase) -> str:
    """An address of this host that refuses connections, and is nobody else's, until the test ends."""
    bound = socket.socket()
    case.addCleanup(bound.close)
    bound.bind(("127.0.0.1", 0))
    return f"127.0.0.1:{bound.getsockname()[1]}"


class TensorTest(unittest.TestCase):
    def test_every_type_comes_back_equal_and_writable(self) -> None:
        for kind in ("f4", "f8", "f2", "u1", "i4", "i8"):
            array = (np.arange(6) * 3).astype(kind).reshape(2, 3)
            back = tensors.from_wire(tensors.to_wire("x", array))
            self.assertEqual(back.dtype, array.dtype)
            np.testing.assert_array_equal(back, array)
            back[0, 0] = 1

    def test_order_and_bytes_are_the_wires(self) -> None:
        array = np.arange(6, dtype=">f4").reshape(2, 3).T
        message = tensors.to_wire("x", array)
        self.assertEqual((list(message.shape), message.name), ([3, 2], "x"))
        self.assertEqual(message.data, array.astype("<f4").tobytes())

    def test_empty_and_scalar_shapes(self) -> None:
        self.assertEqual(tensors.from_wire(tensors.to_wire("x", np.zeros((0, 3), np.float32))).shape, (0, 3))
        self.assertEqual(tensors.from_wire(tensors.to_wire("x", np.float64(2))).shape, ())

    def test_bools_are_bytes_and_bfloat16_is_its_bits(self) -> None:
        self.assertEqual(tensors.to_wire("x", np.array([True])).data_type, wire.DATA_TYPES["U8"])
        message = tensors.to_wire("x", tensors.BFloat16(np.array([0x3F80], np.int16)))
        self.assertEqual((message.data_type, message.data), (wire.DATA_TYPES["BF16"], b"\x80\x3f"))
        self.assertEqual(tensors.from_wire(message).bits[0], 0x3F80)

    def test_other_types_are_named(self) -> None:
        with self.assertRaisesRegex(ValueError, "target: dtype int16; allowed: float32"):
            tensors.to_wire("target", np.zeros(1, np.int16))


class ErrorTest(unittest.TestCase):
    def test_decodes_every_detail(self) -> None:
        status = wire.Status(code=8, message="busy")
        details = (
            wire.ErrorInfo(reason="BUSY", domain="gradeline", metadata={"limit": "4"}),
            wire.BadRequest(field_violations=[{"field": "a.b", "description": "is 3; allowed: 1, 2"}]),
            wire.RetryInfo(retry_delay={"seconds": 1, "nanos": 500_000_000}),
        )
        for detail in details:
            status.details.add(
                type_url=f"type.googleapis.com/{detail.DESCRIPTOR.full_name}", value=detail.SerializeToString()
            )
        error = errors.from_status(status)
        self.assertEqual((error.code, error.reason, error.metadata), ("RESOURCE_EXHAUSTED", "BUSY", {"limit": "4"}))
        self.assertEqual(error.retry_after, 1.5)
        self.assertEqual(str(error), "RESOURCE_EXHAUSTED: busy\n  a.b: is 3; allowed: 1, 2")

    def test_an_unreachable_server_is_named(self) -> None:
        address = nobody_listens(self)
        with self.assertRaisesRegex(gradeline.GradelineError, f"UNAVAILABLE: cannot reach .* at {address}:"):
            gradeline.connect(address, patience=0.1).experiment("a")

    def test_what_join_lacks_is_named(self) -> None:
        with self.assertRaisesRegex(gradeline.GradelineError, "GRADELINE_EXPERIMENT"):
            gradeline.connect().join(token="t")


class BackoffTest(unittest.TestCase):
    def test_grows_to_its_limit_and_ends_with_the_span(self) -> None:
        clock = [0.0]
        backoff = Backoff(span=10, first=1, most=4, now=lambda: clock[0])
        delays = [backoff.next() for _ in range(6)]
        self.assertTrue(all(low <= delay <= 2 * low for low, delay in zip([1, 2, 2, 2, 2, 2], delays)), delays)
        self.assertEqual(backoff.next(at_least=9), 9)
        clock[0] = 10.0
        self.assertIsNone(backoff.next())
        backoff.reset()
        self.assertIsNotNone(backoff.next())


class EpochTest(unittest.TestCase):
    def test_names_are_short_where_they_are_unique(self) -> None:
        message = wire.message("gradeline.v1.Epoch")(phase=2, verdict=1)
        for head, metric in (("a", "accuracy"), ("b", "accuracy"), ("b", "top5")):
            message.metrics.add(head=head, metric=metric, value=0.5, count=3)
        epoch = results.Epoch.of(message)
        self.assertEqual(sorted(epoch.metrics), ["a/accuracy", "b/accuracy", "top5"])
        self.assertEqual((epoch.phase, epoch.complete), ("validation", True))

    def test_a_metric_that_is_not_defined_is_not_0(self) -> None:
        message = wire.message("gradeline.v1.Epoch")(phase=2, verdict=1)
        message.metrics.add(head="a", metric="roc_auc", note="one class")
        self.assertTrue(math.isnan(results.Epoch.of(message).metrics["roc_auc"]))


class ResultTest(unittest.TestCase):
    def test_item_losses_come_where_the_answer_has_them(self) -> None:
        message = wire.message("gradeline.v1.EvaluateLossResponse")()
        self.assertIsNone(results.Result.of(message).item_losses)
        message.item_losses.CopyFrom(tensors.to_wire("item_losses", np.array([0.5, 2])))
        np.testing.assert_array_equal(results.Result.of(message).item_losses, [0.5, 2])
        self.assertIsNone(results.Result.of(wire.message("gradeline.v1.Result")()).item_losses)


class DenominatorTest(unittest.TestCase):
    def setUp(self) -> None:
        self.client = gradeline.Client(nobody_listens(self), timeout=0.5)

    def head(self, loss: str, reduction: str = "MEAN", **params):
        return wire.message("gradeline.v1.ResolvedHead")(
            loss=loss, components=[loss], params=struct(params), reduction=wire.REDUCTIONS[reduction]
        )

    def test_cross_entropy_counts_class_weights_of_valid_labels(self) -> None:
        arrays = {"prediction": np.zeros((4, 2, 1)), "target": np.array([[0], [1], [-100], [1]])}
        self.assertEqual(denominators(self.head("cross_entropy"), arrays, self.client), [3])
        weighted = self.head("cross_entropy", class_weights=[0.5, 2])
        self.assertEqual(denominators(weighted, arrays, self.client), [4.5])
        self.assertEqual(denominators(self.head("cross_entropy", ignore_index=1), arrays, self.client), [2])
        self.assertEqual(denominators(self.head("cross_entropy", "MEAN_ALL"), arrays, self.client), [4])
        self.assertEqual(denominators(self.head("cross_entropy", "GIVEN"), arrays, self.client), [0], "none is given")
        arrays["weight"] = np.array([[2.0], [1], [1], [0.5]], np.float32)
        self.assertEqual(denominators(weighted, arrays, self.client), [0.5 * 2 + 2 * 1 + 2 * 0.5])

    def test_soft_targets_count_items(self) -> None:
        arrays = {"prediction": np.zeros((4, 2, 5)), "target": np.zeros((4, 2, 5), np.float32)}
        self.assertEqual(denominators(self.head("cross_entropy", class_weights=[3, 3]), arrays, self.client), [20])

    def test_elements(self) -> None:
        labels = {"prediction": np.zeros((2, 3)), "target": np.array([[0, 1, -100], [1, 1, 0]])}
        self.assertEqual(denominators(self.head("binary_cross_entropy"), labels, self.client), [5])
        soft = {"prediction": np.zeros((2, 3)), "target": np.zeros((2, 3))}
        self.assertEqual(denominators(self.head("binary_cross_entropy"), soft, self.client), [6])
        self.assertEqual(denominators(self.head("mse"), soft, self.client), [6])
        weight = tensors.BFloat16(np.full((2, 3), 0x4000, np.int16))  # 2.0
        self.assertEqual(denominators(self.head("mse"), {**soft, "weight": weight}, self.client), [12])

    def test_the_server_is_asked_about_any_other_loss(self) -> None:
        with self.assertRaisesRegex(gradeline.GradelineError, f"cannot reach .* {self.client.address}"):
            denominators(self.head("dice"), {}, self.client)


class ImportTest(unittest.TestCase):
    def test_opens_nothing(self) -> None:
        code = """
import os, socket, threading
def refuse(*arguments): raise AssertionError(arguments)
socket.socket.connect = refuse
before = set(os.listdir("/proc/self/fd"))
import gradeline, gradeline.torch
gradeline.connect("127.0.0.1:1")
after = set(os.listdir("/proc/self/fd"))
links = [os.readlink(f"/proc/self/fd/{fd}") for fd in after - before if os.path.exists(f"/proc/self/fd/{fd}")]
assert not [link for link in links if link.startswith("socket:")], links
assert threading.active_count() == 1, threading.enumerate()
"""
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


if __name__ == "__main__":
    unittest.main()
