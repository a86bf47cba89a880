"""Metrics over ranks: whatever the partition over ranks and batches, and after a replay, a seal has the same bits."""

import json
import pathlib
import random
import threading
import unittest
from typing import Any, Callable, Dict, List

import numpy as np

import gradeline
from proxy import Proxy
from server import Server

GOLDEN = pathlib.Path(__file__).parents[1] / "cli/golden"
CLASSES = ("accuracy", "f_score(beta=2)", "confusion_matrix", "roc_auc", "average_precision", "calibration_error", "cohen_kappa")


def setUpModule() -> None:
    global server
    server = Server()


def tearDownModule() -> None:
    server.close()


def detections() -> Dict[int, Dict[str, np.ndarray]]:
    """The golden COCO case by image."""
    truth, found = (json.loads((GOLDEN / f"coco_{name}.json").read_text()) for name in ("instances", "results"))
    number = {category: i for i, category in enumerate(sorted(c["id"] for c in truth["categories"]))}
    by_image = {}
    for image in (image["id"] for image in truth["images"]):
        boxes = [entry for entry in found if entry["image_id"] == image]
        objects = [entry for entry in truth["annotations"] if entry["image_id"] == image]
        corners = lambda entries: np.array([[x, y, x + w, y + h] for x, y, w, h in (e["bbox"] for e in entries)]).reshape(-1, 4)
        whole = lambda values: np.array(list(values), np.int64)
        by_image[image] = {
            "boxes": corners(boxes),
            "scores": np.array([entry["score"] for entry in boxes], np.float64),
            "classes": whole(number[entry["category_id"]] for entry in boxes),
            "images": whole(image for _ in boxes),
            "target_boxes": corners(objects),
            "target_classes": whole(number[entry["category_id"]] for entry in objects),
            "target_images": whole(image for _ in objects),
            "target_crowd": whole(entry["iscrowd"] for entry in objects),
            "target_area": np.array([entry["area"] for entry in objects], np.float64),
        }
    return by_image


def joined(pieces: List[Dict[str, np.ndarray]]) -> Dict[str, np.ndarray]:
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


class MetricsTest(unittest.TestCase):
    def sealed(self, ranks: int, report: Callable[[gradeline.Worker, int], None], **options: Any) -> Any:
        """The validation of one epoch, of which each rank reports its part."""
        name, token = server.experiment(world_size=ranks, epochs=1, **options)
        failures: List[BaseException] = []

        def run(rank: int) -> None:
            try:
                with server.client.join(name, token, rank, ranks) as worker:
                    worker.end_phase("train", 0)
                    with worker.phase("validation", 0):
                        report(worker, rank)
            except BaseException as failure:  # told below
                failures.append(failure)

        threads = [threading.Thread(target=run, args=(rank,)) for rank in range(ranks)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        seals = server.client.call("ListEpochs", parent=name, show_details=True).epochs
        return [seal for seal in seals if seal.phase == 2][0]

    def test_classes_have_the_same_bits_over_one_rank_and_three(self) -> None:
        draw = np.random.default_rng()
        logits, labels = draw.normal(size=(90, 3)).astype(np.float32), draw.integers(0, 3, 90)
        logits[draw.random(90) < 0.3] = 0.25  # ties

        def reporting(parts: List[np.ndarray]) -> Callable[[gradeline.Worker, int], None]:
            def report(worker: gradeline.Worker, rank: int) -> None:
                for step, batch in enumerate(np.array_split(parts[rank], 1 + rank)):
                    inputs = {"prediction": logits[batch], "target": labels[batch]}
                    worker.batch("validation", 0, step, "classification", inputs, gradient=False)

            return report

        order = draw.permutation(90)
        one = self.sealed(1, reporting([np.arange(90)]), metrics=CLASSES)
        three = self.sealed(3, reporting(np.array_split(order, 3)), metrics=CLASSES)
        self.assertEqual([metric.metric for metric in one.metrics], list(CLASSES))
        for whole, parted in zip(one.metrics, three.metrics):
            self.assertGreater(whole.count, 0, whole.metric)
            self.assertEqual(whole.SerializeToString(deterministic=True), parted.SerializeToString(deterministic=True))

    def test_boxes_of_a_detector_are_as_pycocotools_says_for_any_partition(self) -> None:
        expected = json.loads((GOLDEN / "coco_expected.json").read_text())["bbox"]
        by_image = detections()
        images = list(by_image)
        random.shuffle(images)

        def report(worker: gradeline.Worker, rank: int) -> None:
            own = images[rank::2]
            while own:
                taken = own[: random.randint(1, 6)]
                own = own[len(taken) :]
                worker.report("detections", joined([by_image[image] for image in taken]))

        seal = self.sealed(2, report, task="object-detection", architecture="faster-rcnn", metrics=["coco_average_precision"])
        self.assertEqual(len(seal.metrics), 1)
        metric = seal.metrics[0]
        self.assertEqual(metric.head, "detections")
        self.assertAlmostEqual(metric.value, expected["numbers"]["ap"], delta=1e-12)
        for number in metric.numbers:
            self.assertAlmostEqual(number.value, expected["numbers"][number.name], delta=1e-12, msg=number.name)

    def test_a_metric_without_an_experiment(self) -> None:
        inputs = {"prediction": np.eye(3, dtype=np.float32), "target": np.array([0, 1, 1])}
        self.assertEqual(server.client.evaluate_metric("accuracy", inputs).value, 2 / 3)
        self.assertEqual(server.client.evaluate_metric("accuracy", inputs, {"k": 3}, ignore_index=0).count, 2)
        with self.assertRaisesRegex(gradeline.GradelineError, "target"):
            server.client.evaluate_metric("accuracy", {"prediction": inputs["prediction"]}, signal="multiclass")

    def test_what_a_batch_counted_survives_lost_connections(self) -> None:
        proxy = Proxy(server.address)
        self.addCleanup(proxy.close)
        draw = np.random.default_rng()
        metrics = ("accuracy", "roc_auc")  # in training: small counts replayed, large ones committed first
        name, token = server.experiment(world_size=1, epochs=1, metrics=metrics)
        right = 0
        with gradeline.connect(proxy.address).join(name, token, 0, 1) as worker:
            with worker.phase("train", 0) as train:
                for step in range(24):
                    rows = 2 if step % 2 else 200
                    logits, labels = draw.normal(size=(rows, 3)).astype(np.float32), draw.integers(0, 3, rows)
                    right += int((logits.argmax(1) == labels).sum())
                    future = worker.submit("train", 0, step, "classification", {"prediction": logits, "target": labels})
                    if step % 5 == 0:
                        proxy.cut()
                    future.result()
        counted = 12 * 202
        self.assertEqual(train.sealed.metrics["accuracy"], right / counted)
        self.assertEqual(train.sealed.batches, 24)


if __name__ == "__main__":
    unittest.main()
