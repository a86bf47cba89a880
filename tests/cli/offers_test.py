"""What the command line says of what is offered: losses of tasks and heads, training parameters, schedules."""

import unittest

from gradeline_cli import Case, Server


def setUpModule():
    global server
    server = Server()


def tearDownModule():
    server.close()


class TrainingOfferTest(Case):
    def test_parameters_of_the_training(self):
        rows = self.assertRun(server("get", "training-parameters")).out.splitlines()
        self.assertEqual(rows[0].split(), ["PARAMETER", "KIND", "DEFAULT", "RANGE", "UNIT", "ABOUT"])
        epochs = next(row for row in rows if row.startswith("epochs"))
        self.assertEqual(epochs.split()[:5], ["epochs", "integer", "10", "1..100000", "epochs"])
        described = self.assertRun(server("describe", "training-parameter", "learning_rate", "-o", "json")).json
        self.assertEqual((described["minExclusive"], described["defaultValue"]), (True, 0.01))

    def test_a_schema_says_what_is_needed(self):
        solver = self.assertRun(server("describe", "solver", "sgd", "-o", "json")).json
        nesterov = next(parameter for parameter in solver["parameters"] if parameter["id"] == "nesterov")
        self.assertEqual(nesterov["needs"], ["momentum > 0", "dampening = 0"])
        self.assertIn("pytorch.org", solver["link"])

    def test_preview_schedule(self):
        run = self.assertRun(server("preview", "schedule", "step_lr", "--param", "step_size=2", "--param", "gamma=0.5",
                                    "--learning-rate", "1", "--epochs", "5"))
        self.assertEqual([row.split()[:2] for row in run.out.splitlines()],
                         [["EPOCH", "RATE"], ["0", "1"], ["1", "1"], ["2", "0.5"], ["3", "0.5"], ["4", "0.25"]])
        run = self.assertRun(server("preview", "schedule", "reduce_lr_on_plateau", "--param", "patience=0", "--losses", "1,2,nan",
                                    "--learning-rate", "1", "-o", "json"))
        self.assertEqual([rate["learningRate"] for rate in run.json["rates"]], [1, 1, 0.1, 0.010000000000000002])
        run = self.assertRun(server("preview", "schedule", "multi_step_lr", "--param", "milestones=1,2", "--epochs", "3", "-o", "name"))
        self.assertEqual(run.out.split(), ["0", "1", "2"])
        self.assertRun(server("preview", "schedule", "cosine", "--epochs", "0.5"), code=2)
        run = self.assertRun(server("preview", "schedule", "step_lr", "--param", "step_size=0", "--param", "gama=1"), code=6,
                             err=["parameters.step_size", "integers in [1, 100000]", "gamma"])
        self.assertRun(server("preview", "schedule", "step_lr", "--losses", "1,x"), code=6, err="--losses")
        self.assertRun(server("preview", "schedule", "step_l", ), code=6, err="step_lr")


class LossesTest(Case):
    def test_a_box_head_offers_the_losses_of_boxes(self):
        words = ("get", "losses", "--task", "object-detection", "--architecture", "faster-rcnn", "--head", "box")
        run = self.assertRun(server(*words, "-o", "json"))
        verdicts = {offer["loss"]["name"]: offer["verdict"] for offer in run.json["losses"]}
        self.assertEqual(verdicts, {"losses/bounding_box_regression": "LOSS_VERDICT_DEFAULT", "losses/iou": "LOSS_VERDICT_VALID"})
        self.assertEqual(run.json["note"], "")
        self.assertIn("bounding_box_regression", self.assertRun(server(*words)).out)

    def test_all_says_why_mse_is_refused(self):
        words = ("get", "losses", "--task", "object-detection", "--architecture", "faster-rcnn", "--head", "box", "--all")
        offers = {o["loss"]["name"]: o for o in self.assertRun(server(*words, "-o", "json")).json["losses"]}
        mse = offers["losses/mse"]
        self.assertEqual(mse["verdict"], "LOSS_VERDICT_REFUSED")
        for fact in ("value", "box", "regression"):
            self.assertIn(fact, mse["reason"])
        self.assertRun(server(*words), out="refused")

    def test_the_union_names_the_heads(self):
        run = self.assertRun(server("get", "losses", "--task", "object-detection", "--architecture", "faster-rcnn", "-o", "json"))
        heads = {o["loss"]["name"]: o["heads"] for o in run.json["losses"]}
        self.assertEqual(heads["losses/cross_entropy"], ["classification"])
        self.assertEqual(heads["losses/binary_cross_entropy"], ["objectness"])

    def test_the_note_has_a_line_per_head(self):
        run = self.assertRun(server("get", "losses", "--task", "object-detection"))
        lines = run.err.splitlines()
        self.assertIn("head retinanet/classification: nearly all anchors are background", lines[-1])
        for line in lines:
            self.assertEqual(len({word.rstrip(":;") for word in line.split() if "rcnn/" in word or "net" in word}), 1, line)

    def test_wrong_filters(self):
        self.assertRun(server("get", "losses", "--task", "clasification"), code=3, err="classification")
        self.assertRun(server("get", "loss", "mse", "--task", "regression"), code=2, err="--task")


if __name__ == "__main__":
    unittest.main()
