"""`gradeline eval metric` of .npy files and of COCO files, against golden values of pycocotools and plain definitions."""

import gzip
import json
import pathlib
import tempfile
import unittest

import numpy as np

from gradeline_cli import SOURCE, Case, Server

GOLDEN = SOURCE / "tests/cli/golden"


def setUpModule():
    global server, folder, temporary
    server = Server()
    temporary = tempfile.TemporaryDirectory()
    folder = pathlib.Path(temporary.name)


def tearDownModule():
    server.close()
    temporary.cleanup()


def evaluate(metric, inputs, *more):
    """The run of eval metric on arrays and paths."""
    words = ["eval", "metric", metric, *more]
    for name, value in inputs.items():
        if isinstance(value, np.ndarray):
            path = folder / f"{name}.npy"
            np.save(path, np.require(value, requirements="C"))
            value = path
        words += ["--input", f"{name}={value}"]
    return server(*words)


class NpyTest(Case):
    def value(self, metric, inputs, *more):
        return self.assertRun(evaluate(metric, inputs, *more, "-o", "json")).json

    def test_a_segmentation_is_that_of_its_confusion_matrix(self):
        draw = np.random.default_rng()
        logits = draw.normal(size=(3, 5, 17, 23)).astype(np.float32)
        labels = draw.integers(0, 5, (3, 17, 23)).astype(np.uint8)
        labels[draw.random(labels.shape) < 0.1] = 255
        right, found = labels[labels != 255].astype(int), logits.argmax(1)[labels != 255]
        matrix = np.zeros((5, 5))
        np.add.at(matrix, (right, found), 1)
        hits, of_target, of_prediction = matrix.diagonal(), matrix.sum(1), matrix.sum(0)
        iou = hits / (of_target + of_prediction - hits)
        inputs, ignore = {"prediction": logits, "target": labels}, ("--ignore-index", 255)
        mean = self.value("mean_iou", inputs, *ignore)
        self.assertAlmostEqual(mean["value"], iou.mean(), delta=1e-12)
        for number in mean["classes"]:
            self.assertAlmostEqual(number["value"], iou[number["index"]], delta=1e-12)
        self.assertAlmostEqual(self.value("accuracy", inputs, *ignore)["value"], hits.sum() / matrix.sum(), delta=1e-12)
        self.assertAlmostEqual(self.value("mean_accuracy", inputs, *ignore)["value"], (hits / of_target).mean(), delta=1e-12)
        self.assertEqual(self.value("confusion_matrix", inputs, *ignore)["matrix"]["cells"], matrix.reshape(-1).tolist())
        # What was decided already gives the same, label maps instead of scores.
        decided = {"prediction": logits.argmax(1).astype(np.int32), "target": labels}
        self.assertEqual(self.value("mean_iou", decided, *ignore)["classes"], mean["classes"])

    def test_a_regression(self):
        draw = np.random.default_rng()
        target = draw.normal(1000, 1, 200)
        prediction = target + draw.normal(0, 0.1, 200)
        error = prediction - target
        inputs = {"prediction": prediction, "target": target}
        self.assertAlmostEqual(self.value("mean_absolute_error", inputs)["value"], np.abs(error).mean(), delta=1e-12)
        self.assertAlmostEqual(self.value("root_mean_squared_error", inputs)["value"], np.sqrt((error**2).mean()), delta=1e-12)
        r2 = 1 - (error**2).sum() / ((target - target.mean()) ** 2).sum()
        self.assertAlmostEqual(self.value("r2_score", inputs)["value"], r2, delta=1e-10)

    def test_parameters_stand_behind_the_id_or_beside_it(self):
        inputs = {"prediction": np.eye(4, dtype=np.float32), "target": np.array([0, 1, 2, 0])}
        self.assertEqual(self.value("accuracy(k=4)", inputs)["value"], 1)
        self.assertEqual(self.value("accuracy", inputs, "--param", "k=4")["value"], 1)
        self.assertRun(evaluate("accuracy(k=0)", inputs), code=6, err='k: is "0"')
        self.assertRun(evaluate("acuracy", inputs), code=3, err="did you mean accuracy")
        self.assertRun(evaluate("accuracy", inputs, "--signal", "box"), code=5, err="multiclass")
        self.assertRun(evaluate("accuracy", {**inputs, "weight": inputs["target"]}), code=6, err="weight")
        self.assertRun(evaluate("accuracy", {"prediction": np.full((4, 4), np.nan), "target": inputs["target"]}), code=6, err="NaN")

    def test_forms(self):
        inputs = {"prediction": np.eye(3, dtype=np.float32), "target": np.array([0, 1, 1])}
        table = self.assertRun(evaluate("confusion_matrix", inputs)).out
        self.assertIn("confusion_matrix  0.66", table)
        self.assertRegex(table, r"RIGHT \\ PREDICTED +0 +1 +2\n")
        self.assertEqual(evaluate("f_score(beta=2)", inputs, "-o", "name").out, "f_score(beta=2)\n")
        self.assertIn("value:", evaluate("f_score", inputs, "-o", "yaml").out)


class CocoTest(Case):
    def check(self, expected, *more, results, truth="coco_instances.json"):
        run = self.assertRun(
            evaluate("coco_average_precision", {"prediction": GOLDEN / results, "target": GOLDEN / truth}, *more, "-o", "json"))
        numbers = {number["name"]: number["value"] for number in run.json["numbers"]}
        for name, value in expected["numbers"].items():
            if value < 0:
                self.assertNotIn(name, numbers)
            else:
                self.assertAlmostEqual(numbers[name], value, delta=1e-12, msg=name)
        self.assertAlmostEqual(run.json["value"], expected["numbers"]["ap"], delta=1e-12)
        for number in run.json["classes"]:
            self.assertAlmostEqual(number["value"], expected["classes"][number["index"]], delta=1e-12)
        return run

    def test_boxes_and_masks_as_pycocotools(self):
        expected = json.loads((GOLDEN / "coco_expected.json").read_text())
        self.check(expected["bbox"], results="coco_results.json")
        self.check(expected["segm"], "--signal", "instances", results="coco_masks.json")

    def test_compressed_files_and_names_of_categories(self):
        inputs = {}
        for side, name in (("target", "coco_instances.json"), ("prediction", "coco_results.json")):
            inputs[side] = folder / f"{name}.gz"
            inputs[side].write_bytes(gzip.compress((GOLDEN / name).read_bytes()))
        table = self.assertRun(evaluate("coco_average_precision", inputs)).out
        for name in ("apple", "fig", "pear", "ap50"):
            self.assertIn(name, table)

    def test_what_is_wrong_with_files_is_said_all_at_once(self):
        results = json.loads((GOLDEN / "coco_results.json").read_text())[:4]
        del results[0]["score"]
        results[1]["category_id"] = 4
        results[2]["image_id"] = 5
        results[3]["bbox"] = [1, 2, 3]
        wrong = folder / "wrong.json"
        wrong.write_text(json.dumps(results))
        truth = GOLDEN / "coco_instances.json"
        self.assertRun(
            evaluate("coco_average_precision", {"prediction": wrong, "target": truth}), code=6,
            err=["[0]: score is no number", "category_id 4 is no category", "image_id 5 is no image", "[3]: bbox is no list of four"])
        wrong.write_text("{")
        self.assertRun(evaluate("coco_average_precision", {"prediction": wrong, "target": truth}), code=6, err="wrong.json at byte")
        wrong.write_text("{}")
        self.assertRun(evaluate("coco_average_precision", {"prediction": wrong, "target": truth}), code=6, err="list of results")
        self.assertRun(evaluate("coco_average_precision", {"prediction": wrong}), code=6, err="in twos")
        self.assertRun(evaluate("coco_average_precision", {"boxes": truth}), code=6, err="--input boxes is a COCO file")


if __name__ == "__main__":
    unittest.main()
