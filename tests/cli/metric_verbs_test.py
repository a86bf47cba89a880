"""Metrics of experiments from the command line: with parameters, of heads without a loss, in every verb."""

import pathlib
import shutil
import tempfile
import unittest

import idx
from gradeline_cli import Case, Server


def setUpModule():
    global server, folder
    server = Server()
    folder = pathlib.Path(tempfile.mkdtemp())
    idx.write(folder, "train", [i % 10 for i in range(60)])
    idx.write(folder, "t10k", [i % 10 for i in range(40)], compressed=False)
    done = server("import", "dataset", "digits", "--format", "idx", "--from", folder)
    assert done.code == 0, done
    for name, task in (("digits-a", "classification"), ("boxes", "object-detection")):
        done = server("create", "split", name, "--dataset", "digits", "--task", task, "--ratios", "train=70,validation=10,test=20")
        assert done.code == 0, done


def tearDownModule():
    server.close()
    shutil.rmtree(folder)


class MetricVerbsTest(Case):
    def run_json(self, *words, **expected):
        return self.assertRun(server(*words, "-o", "json"), **expected).json

    def create(self, name, *more, split="digits-a", architecture="small-cnn"):
        return self.run_json("create", "experiment", name, "--split", split, "--architecture", architecture, *more)

    def test_commas_part_metrics_and_parameters(self):
        made = self.create("commas", "--metric", "accuracy(k=2), f_score( average = micro, beta=0.5 ),roc_auc", "--metric", "recall")
        self.assertEqual(made["metrics"], ["accuracy(k=2)", "f_score(average=micro,beta=0.5)", "roc_auc", "recall"])
        for wrong, said in (
            ("f_score(beta=2", 'does not end with a )'),
            ("f_score(beta=x)", "metrics[0].beta"),
            ("f_score(betta=2)", "did you mean beta"),
            ("f_score,f_score(beta=1)", "given twice"),
            ("coco_average_precision", "cannot be computed from signal"),
        ):
            with self.subTest(wrong):
                self.assertRun(server("create", "experiment", "wrong", "--split", "digits-a", "--architecture", "small-cnn", "--metric",
                                      wrong), code=5 if "signal" in said else 6, err=said)

    def test_a_metric_is_monitored_by_what_it_means(self):
        monitor = "training.early_stopping.monitor=validation.f_score(beta=0.5,average=macro)"
        made = self.create("monitor", "--metric", "f_score(beta=.5)", "--metric", "calibration_error", "--set", monitor)
        self.assertEqual(made["training"]["earlyStopping"]["mode"], "MONITOR_MODE_MAX")
        made = self.create("falling", "--metric", "calibration_error", "--set", "training.scheduler=reduce_lr_on_plateau",
                           "--set", "training.scheduler_parameters.monitor=validation.calibration_error")
        self.assertEqual(made["training"]["schedulerParameters"]["mode"], "min")

    def test_heads_without_a_loss_in_every_verb(self):
        made = self.create("detector", "--metric", "coco_average_precision", split="boxes", architecture="faster-rcnn")
        self.assertEqual((made["heads"][-1]["head"], made["heads"][-1]["loss"]), ("detections", ""))
        listed = self.assertRun(server("get", "experiment", "detector")).out
        self.assertIn("box=", listed)
        self.assertNotIn("detections=", listed)
        exported = self.assertRun(server("export", "experiment", "detector")).out
        self.assertNotIn("detections", exported)
        file = folder / "detector.yaml"
        file.write_text(exported)
        self.assertRun(server("apply", "-f", file), err="unchanged")
        clone = self.run_json("clone", "experiment", "detector", "detector-b")
        self.assertEqual(clone["heads"][-1]["head"], "detections")
        changed = self.run_json("apply", "experiment", "detector-b", "--metric", "accuracy")
        self.assertNotIn("detections", [head["head"] for head in changed["heads"]])
        self.assertRun(server("create", "experiment", "wrong", "--split", "boxes", "--architecture", "faster-rcnn", "--loss", "detections=iou"),
                       code=6, err="is not a head of faster-rcnn")
        self.assertRun(server("start", "experiment", "detector"))

    def test_metrics_of_an_architecture_and_a_head(self):
        ids = lambda *flags: self.assertRun(server("get", "metrics", "-o", "name", *flags)).out.split()
        detector = ids("--architecture", "faster-rcnn")
        self.assertIn("coco_average_precision", detector)
        self.assertIn("mean_absolute_error", ids())
        self.assertNotIn("mean_iou", detector)
        self.assertEqual(ids("--architecture", "faster-rcnn", "--head", "detections"), ["coco_average_precision", "voc_average_precision"])
        self.assertRun(server("get", "metrics", "--architecture", "faster-rcnn", "--head", "detection"), code=6, err="there are")
        self.assertRun(server("get", "metrics", "--head", "box"), code=6, err="needs one")

    def test_an_epoch_that_is_not_sealed_is_not_there(self):
        self.create("unsealed")
        self.assertRun(server("describe", "epoch", "unsealed"), code=3, err="has no sealed phase")
        self.assertRun(server("describe", "epoch", "unsealed", "--epoch", 3, "--phase", "test"), code=3, err="no sealed test of epoch 3")
        self.assertRun(server("describe", "epoch", "nowhere"), code=3, err="nowhere")
        self.assertRun(server("describe", "epoch"), code=2, err="needs --experiment")
        self.assertRun(server("describe", "epoch", "unsealed", "--phase", "tests"), code=2, err="--phase")

    def test_completion(self):
        complete = lambda *words: server("__complete", "--", *words).out.split()
        self.assertEqual(complete("eval", "metric", "coco"), ["coco_average_precision"])
        self.assertEqual(complete("eval", "metric", "accuracy", "--signal", "pixel-b"), ["pixel-binary"])
        self.assertEqual(complete("describe", "epoch", "x", "--phase", "va"), ["validation"])
        self.create("completed")
        self.assertEqual(complete("describe", "epoch", "complet"), ["completed"])


if __name__ == "__main__":
    unittest.main()
