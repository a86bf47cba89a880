"""The verbs on experiments as things that are made, changed, listed and thrown away, against a real server."""

import json
import pathlib
import shutil
import tempfile
import unittest

import idx
from gradeline_cli import Server


def setUpModule():
    global server, folder
    server = Server()
    folder = pathlib.Path(tempfile.mkdtemp())
    (folder / "data").mkdir()
    idx.write(folder / "data", "train", [i % 10 for i in range(100)])
    ratios = ("--ratios", "train=70,validation=10,test=20")
    for words in (("import", "dataset", "digits", "--format", "idx", "--from", folder / "data"),
                  ("create", "split", "digits-a", "--dataset", "digits", "--task", "classification", *ratios),
                  ("create", "split", "digits-b", "--dataset", "digits", "--task", "classification", *ratios)):
        done = server(*words)
        assert done.code == 0, done


def tearDownModule():
    server.close()
    shutil.rmtree(folder)


class Case(unittest.TestCase):
    maxDiff = None

    def run_to(self, *words, code=0, err=(), **options):
        run = server(*words, **options)
        self.assertEqual(run.code, code, run)
        for text in [err] if isinstance(err, str) else err:
            self.assertIn(text, run.err)
        return run

    def create(self, name, *more, split="digits-a"):
        return self.run_to("create", "experiment", name, "--split", split, "--architecture", "small-cnn", "--metric", "accuracy",
                           *more, "-o", "json").json

    def get(self, name, *more):
        return self.run_to("get", "experiment", name, "-o", "json", *more).json

    def names(self, *flags):
        return self.run_to("get", "experiments", "-o", "name", *flags).out.split()


class FollowingTest(Case):
    """What a person did not ask for follows what they change."""

    def set(self, name, *settings, code=0, err=()):
        words = [word for setting in settings for word in ("--set", "training." + setting)]
        run = self.run_to("apply", "experiment", name, *words, "-o", "json", code=code, err=err)
        return run.json["training"] if code == 0 else None

    def test_another_solver_brings_its_own(self):
        training = self.create("solvers", "--set", "training.solver=adam")["training"]
        self.assertEqual((training["learningRate"], training["solverParameters"]["beta2"]), (0.001, 0.999))
        training = self.set("solvers", "solver=sgd", "solver_parameters.momentum=0.9")
        self.assertEqual((training["learningRate"], training["solverParameters"]["momentum"]), (0.01, 0.9))
        self.assertNotIn("beta2", training["solverParameters"])
        training = self.set("solvers", "solver_parameters.nesterov=true")
        self.assertEqual((training["solverParameters"]["momentum"], training["solverParameters"]["nesterov"]), (0.9, True))
        self.set("solvers", "solver=adam", code=6, err=["training.solverParameters.momentum: is no parameter", "nesterov"])
        training = self.set("solvers", "solver=adam", "solver_parameters=")
        self.assertEqual((training["learningRate"], training["solverParameters"]["beta1"]), (0.001, 0.9))

    def test_another_measure_has_another_direction(self):
        training = self.create("measures", "--set", "training.scheduler=reduce_lr_on_plateau")["training"]
        self.assertEqual(training["schedulerParameters"]["monitor"], "validation.loss")
        training = self.set("measures", "scheduler_parameters.monitor=validation.accuracy")
        self.assertEqual(training["schedulerParameters"]["mode"], "max")
        training = self.set("measures", "scheduler=cyclic_lr", "scheduler_parameters=", "scheduler_parameters.max_lr=0.5",
                            "learning_rate=0.02")
        self.assertEqual(training["schedulerParameters"]["base_lr"], 0.02)
        self.assertEqual(self.set("measures", "learning_rate=0.03")["schedulerParameters"]["base_lr"], 0.03)
        self.set("measures", "learning_rate=0.6", code=6, err=["training.learningRate", "is 0.6, which needs base_lr "])


class ApplyTest(Case):
    def export(self, name):
        return self.run_to("export", "experiment", name).out

    def apply(self, text, *more, **options):
        return self.run_to("apply", "-f", "-", *more, stdin=text, **options)

    def test_what_is_exported_and_applied_changes_nothing(self):
        self.create("round", "--param", "classification.label_smoothing=0.25", "--loss-weight", "classification=0.5",
                    "--set", "training.seed=9007199254740992", "--set", "training.learning_rate=1e-3", "--set",
                    "architecture_parameters.channels=16", "--set", "training.early_stopping.monitor=validation.loss", "--set",
                    "training.early_stopping.patience=3", "--label", "team=vision", "--label", "number=007", "--label", "yes=true",
                    "--notes", "first line\n\"second\": 50 % é\t'")
        before = self.get("round")
        exported = self.export("round")
        self.assertEqual(self.apply(exported, "-o", "json", err="experiment round unchanged").json, before)
        self.assertEqual(self.get("round"), before)
        self.assertEqual(self.export("round"), exported)
        self.assertNotIn("state", exported)
        self.run_to("start", "experiment", "round")
        self.apply(exported, err="experiment round unchanged")
        self.run_to("cancel", "experiment", "round")
        self.apply(self.export("round"), err="unchanged")
        self.apply(exported.replace("experiments/round", "experiments/round-again"), err="experiment round-again created")
        again = self.get("round-again")
        for field in ("split", "architecture", "architectureParameters", "losses", "metrics", "training", "labels", "notes", "heads"):
            self.assertEqual(again[field], before[field], field)

    def test_a_file_says_everything(self):
        self.create("whole", "--set", "training.epochs=7", "--label", "team=vision", "--notes", "old")
        text = "name: whole\nsplit: digits-a\narchitecture: small-cnn\nlabels:\n  kind: base\n"
        run = self.apply(text, "-o", "json", err="experiment whole updated")
        self.assertEqual((run.json["training"]["epochs"], run.json["labels"], run.json["notes"], run.json["metrics"]), (10, {"kind": "base"}, "", []))
        self.apply(text, err="unchanged")
        self.apply(text, "--label", "kind-", "--label", "more=1", "--set", "training.epochs=3", err="updated")
        stored = self.get("whole")
        self.assertEqual((stored["labels"], stored["training"]["epochs"]), ({"more": "1"}, 3))

    def test_flags_alone_go_over_what_is_there(self):
        self.create("flags", "--set", "training.epochs=7", "--label", "a=1")
        self.run_to("apply", "experiment", "flags", "--label", "b=2", "--notes", "running", err="updated")
        stored = self.get("flags")
        self.assertEqual((stored["training"]["epochs"], stored["labels"], stored["notes"]), (7, {"a": "1", "b": "2"}, "running"))
        self.run_to("start", "experiment", "flags")
        self.run_to("apply", "experiment", "flags", "--label", "a-", "--notes", "", err="updated")
        stored = self.get("flags")
        self.assertEqual((stored["state"], stored["labels"], stored["notes"]), ("EXPERIMENT_STATE_QUEUED", {"b": "2"}, ""))
        self.run_to("apply", "experiment", "flags", "--set", "training.epochs=8", code=5, err=["QUEUED", "training", "DRAFT"])
        self.run_to("apply", "experiment", "flags", "--label", "b", code=2, err="--label")
        self.run_to("apply", "experiment", "flags", "--label", "B=1", code=6, err="no key")
        self.run_to("apply", "experiment", "nobody", "--label", "a=1", code=3)
        self.run_to("apply", "--label", "a=1", code=2, err="name")

    def test_nothing_is_stored_where_something_is_wrong(self):
        self.create("wrong")
        before = self.get("wrong")
        self.run_to("apply", "experiment", "wrong", "--set", "training.epochs=-1", "--metric", "acuracy", code=6,
                    err=["training.epochs", "did you mean accuracy"])
        self.run_to("apply", "experiment", "wrong", "--set", "training.epochs=4", "--etag", "77", code=5, err="etag")
        run = self.run_to("apply", "experiment", "wrong", "--set", "training.epochs=4", "--dry-run", "-o", "json", err="dry run")
        self.assertEqual(run.json["training"]["epochs"], 4)
        self.apply("name: new\nsplit: digits-a\narchitecture: small-cnn\n", "--dry-run", err=["created", "dry run"])
        self.assertEqual(self.get("wrong"), before)
        self.run_to("get", "experiment", "new", code=3)
        text = "name: bad\nlabels: [a]\nnotes:\n  - x\n"
        self.apply(text, code=6, err=["-:2: labels is not of the form key: value", "-:4: notes is not a single value"])
        self.apply("name: bad\nlabels:\n  a: 1\n  a: 2\n", code=6, err="-:4: a comes twice")
        self.run_to("export", "experiment", "nobody", code=3)

    def test_an_export_as_json(self):
        self.create("as-json", "--label", "a=1")
        exported = self.run_to("export", "experiment", "as-json", "-o", "json").json
        self.assertEqual((exported["labels"], exported["etag"], exported["heads"]), ({"a": "1"}, "", []))


class DeleteTest(Case):
    def test_delete_undelete_purge(self):
        self.create("short-lived")
        self.run_to("undelete", "experiment", "short-lived", code=5, err="not deleted")
        self.run_to("purge", "experiment", "short-lived", code=5, err="not deleted")
        self.run_to("delete", "experiment", "short-lived", "--etag", "77", code=5)
        self.assertNotEqual(self.run_to("delete", "experiment", "short-lived", "-o", "json").json["deleteTime"], None)
        self.run_to("get", "experiment", "short-lived", code=3, err="deleted")
        self.assertIn("short-lived", self.names("--show-deleted"))
        self.assertNotIn("short-lived", self.names())
        self.assertIn("draft, deleted", self.run_to("get", "experiment", "short-lived", "--show-deleted").out)
        for verb in ("start", "cancel", "resume", "delete"):
            self.run_to(verb, "experiment", "short-lived", code=5, err="deleted")
        self.run_to("create", "experiment", "short-lived", "--split", "digits-a", "--architecture", "small-cnn", code=5, err="purge")
        self.run_to("undelete", "experiment", "short-lived")
        self.assertIsNone(self.get("short-lived").get("deleteTime"))
        self.run_to("start", "experiment", "short-lived")
        self.run_to("delete", "experiment", "short-lived", code=5, err=["QUEUED", "cancel"])
        self.run_to("cancel", "experiment", "short-lived")
        self.run_to("delete", "experiment", "short-lived")
        self.run_to("get", "attempts", "short-lived")
        self.run_to("purge", "experiment", "short-lived", "-o", "name")
        for verb in ("purge", "undelete", "delete"):
            self.run_to(verb, "experiment", "short-lived", code=3)
        self.assertNotIn("short-lived", self.names("--show-deleted"))
        self.assertEqual(self.create("short-lived")["attempt"], 0)
        self.run_to("db", "check")

    def test_a_watch_ends_with_the_deletion(self):
        self.create("watched")
        self.run_to("delete", "experiment", "watched")
        events = [json.loads(line) for line in self.run_to("watch", "experiment", "watched", "-o", "jsonl").out.splitlines()]
        self.assertEqual([bool(event["experiment"].get("deleteTime")) for event in events], [False, True])
        self.run_to("wait", "experiment", "watched", code=8)

    def test_the_help_says_what_delete_is_of(self):
        text = self.run_to("help", "delete").out
        for word in ("dataset", "experiment", "undelete"):
            self.assertIn(word, text)


class CloneTest(Case):
    def test_clone(self):
        source = self.create("origin", "--label", "team=vision", "--notes", "n", "--param", "classification.label_smoothing=0.25")
        self.run_to("start", "experiment", "origin")
        copy = self.run_to("clone", "experiment", "origin", "copied", "-o", "json").json
        for field in ("split", "architecture", "losses", "metrics", "training", "labels", "notes", "heads"):
            self.assertEqual(copy[field], source[field], field)
        self.assertEqual((copy["name"], copy["state"], copy["attempt"]), ("experiments/copied", "EXPERIMENT_STATE_DRAFT", 0))
        self.run_to("clone", "experiment", "origin", "copied", code=5, err="exists")
        self.run_to("clone", "experiment", "nobody", "copied-2", code=3)
        self.run_to("clone", "experiment", "origin", "Bad", code=6, err="newName")
        self.run_to("clone", "experiment", "origin", code=2)
        self.run_to("clone", "experiment", "origin", "dry", "--dry-run", err="dry run")
        self.run_to("get", "experiment", "dry", code=3)


class ListTest(Case):
    def test_filter_and_order(self):
        for name, split, label in (("list-a", "digits-b", "one"), ("list-b", "digits-a", "two"), ("list-c", "digits-b", "two")):
            self.create(name, "--label", f"listed={label}", split=split)
        self.run_to("start", "experiment", "list-b")
        mine = "labels.listed:*"
        self.assertEqual(self.names("--filter", mine), ["list-a", "list-b", "list-c"])
        self.assertEqual(self.names("--filter", f"{mine} AND split = digits-b"), ["list-a", "list-c"])
        self.assertEqual(self.names("--filter", f"{mine} AND state = QUEUED"), ["list-b"])
        self.assertEqual(self.names("--filter", "name = list-* AND labels.listed != two"), ["list-a"])
        self.assertEqual(self.names("--filter", f"{mine} AND create_time > 2100-01-01T00:00:00Z"), [])
        self.assertEqual(self.names("--filter", mine, "--order-by", "create_time desc"), ["list-c", "list-b", "list-a"])
        self.assertEqual(self.names("--filter", mine, "--order-by", "split desc, name desc"), ["list-c", "list-a", "list-b"])
        self.run_to("delete", "experiment", "list-a")
        self.assertEqual(self.names("--filter", mine, "--show-deleted"), ["list-a", "list-b", "list-c"])
        self.assertEqual(self.names("--filter", mine), ["list-b", "list-c"])
        self.assertIn("listed=two", self.run_to("get", "experiments", "--filter", mine).out)

    def test_what_is_wrong_is_named(self):
        self.run_to("get", "experiments", "--filter", "state = RUN", "--order-by", "age", code=6,
                    err=["at 9", '"RUN" is no state; allowed: DRAFT', '"age" is no field; allowed: name'])
        self.create("by-name")
        self.run_to("get", "experiment", "by-name", "--filter", "state = DRAFT", code=2, err="--filter")


class CompletionTest(Case):
    def test_names_where_they_fit(self):
        def complete(*words):
            return server("__complete", "--", *words).out.split("\n")[:-1]

        self.create("complete-kept")
        self.create("complete-gone")
        self.run_to("delete", "experiment", "complete-gone")
        self.assertEqual(complete("delete", "experiment", "complete-"), ["complete-kept"])
        self.assertEqual(complete("undelete", "experiment", "complete-"), ["complete-gone"])
        self.assertEqual(complete("purge", "experiment", "complete-"), ["complete-gone"])
        self.assertEqual(complete("clone", "experiment", "complete-"), ["complete-kept"])
        self.assertEqual(complete("exp"), ["export"])
        self.assertIn("--order-by", complete("get", "experiments", "--or"))


if __name__ == "__main__":
    unittest.main()
