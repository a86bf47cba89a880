"""Every verb of gradeline against a real server: what it does, what it prints in each form, how it exits."""

import json
import pathlib
import shutil
import tempfile
import threading
import unittest

import idx
from gradeline_cli import Case, Server, gradeline

FASHION = pathlib.Path("/usr/share/datasets/fashion-mnist")
FORMS = ("table", "json", "jsonl", "yaml", "name")


def setUpModule():
    global server, folder
    server = Server()
    folder = pathlib.Path(tempfile.mkdtemp())
    data = folder / "data"
    data.mkdir()
    idx.write(data, "train", [i % 10 for i in range(60)])
    idx.write(data, "t10k", [i % 10 for i in range(40)], compressed=False)
    done = server("import", "dataset", "digits", "--format", "idx", "--from", data)
    assert done.code == 0, done
    done = create_split("digits-a")
    assert done.code == 0, done


def tearDownModule():
    server.close()
    shutil.rmtree(folder)


def create_split(name, *more):
    flags = ("--dataset", "digits", "--task", "classification", "--ratios", "train=70,validation=10,test=20", "--seed", 7)
    return server("create", "split", name, *flags, *more)


def create_experiment(name, *more):
    flags = ("--split", "digits-a", "--architecture", "small-cnn", "--metric", "accuracy")
    settings = ("training.epochs=2", "training.batch_size=8", "training.learning_rate=0.1", "training.world_size=1")
    sets = [word for setting in settings for word in ("--set", setting)]
    return server("create", "experiment", name, *flags, *sets, *more)


class GetTest(Case):
    def test_every_kind_in_every_form(self):
        create_experiment("listed")
        kinds = {
            "task": ("classification", "tasks"),
            "architecture": ("small-cnn", "architectures"),
            "loss": ("cross_entropy", "losses", "--task", "classification"),
            "metric": ("accuracy", "metrics"),
            "solver": ("sgd", "solvers"),
            "scheduler": ("cyclic_lr", "schedulers"),
            "augmentation": ("mosaic", "augmentations", "--task", "semantic-segmentation"),
            "dataset": ("digits", "datasets"),
            "split": ("digits-a", "splits"),
            "experiment": ("listed", "experiments"),
            "plugin": ("mse", "plugins"),
        }
        for singular, (known, plural, *flags) in kinds.items():
            for form in FORMS:
                with self.subTest(kind=singular, form=form):
                    run = self.assertRun(server("get", plural, *flags, "-o", form), out=known)
                    self.assertEqual(run.out, server("get", singular, *flags, "-o", form).out if form == "name" else run.out)
                    if form == "json":
                        self.assertIn(plural, run.json)
                        self.assertEqual(run.json["nextPageToken"], "")
                    if form == "jsonl":
                        for line in run.out.splitlines():
                            json.loads(line)
                    if form == "name":
                        self.assertIn(known, run.out.split())
                    if form == "table":
                        self.assertEqual(run.out.split()[0], singular.upper())

    def test_one_by_name(self):
        for kind, name in {"task": "tagging", "architecture": "u-net", "loss": "mse", "metric": "accuracy", "dataset": "digits",
                           "split": "digits-a", "plugin": "mse", "solver": "adamw", "scheduler": "step_lr",
                           "augmentation": "copy_paste"}.items():
            with self.subTest(kind=kind):
                run = self.assertRun(server("get", kind, name, "-o", "json"))
                self.assertEqual(run.json["name"].rsplit("/", 1)[-1], name)
                self.assertEqual(self.assertRun(server("describe", kind, name, "-o", "json")).json["name"], run.json["name"])
                self.assertRun(server("describe", kind, name), out="name: ")
                self.assertEqual(server("get", kind, name, "-o", "name").out, name + "\n")

    def test_unknown_names_are_not_found_and_near_ones_offered(self):
        for words, near in {("task", "clasification"): "classification", ("architecture", "unet"): "u-net",
                            ("loss", "cross-entropy"): "cross_entropy", ("metric", "acuracy"): "accuracy",
                            ("solver", "adan"): "adam", ("scheduler", "step"): "step_lr", ("augmentation", "blurr"): "blur",
                            ("plugin", "msee"): "mse"}.items():
            with self.subTest(words=words):
                self.assertRun(server("get", *words), code=3, err=near)
        for kind in ("dataset", "split", "experiment"):
            self.assertRun(server("get", kind, "nothing"), code=3, err="nothing")
        self.assertRun(server("get", "epochs", "nothing"), code=3)

    def test_json_prints_fields_with_default_values(self):
        task = self.assertRun(server("get", "task", "tagging", "-o", "json")).json
        self.assertIn("hamming_score", task["metrics"])
        dataset = server("get", "dataset", "digits", "-o", "json").json
        self.assertEqual((dataset["itemCount"], dataset["classes"]), ("100", [str(i) for i in range(10)]))

    def test_pages_are_joined(self):
        for number in range(3):
            create_split(f"more-{number}", "--seed", number)
        run = self.assertRun(server("get", "items", "--split", "digits-a", "--part", "train", "--names", "-o", "json"))
        self.assertEqual(len(run.json["items"]), 70)
        self.assertEqual(run.json["nextPageToken"], "")

    def test_no_server(self):
        self.assertRun(gradeline("get", "tasks", "--server", "127.0.0.1:1"), code=7, err="127.0.0.1:1")
        self.assertRun(gradeline("get", "tasks", "--server", "nonsense"), code=6, err="nonsense")


class DataTest(Case):
    def test_fashion_mnist(self):
        run = self.assertRun(server("import", "dataset", "fashion", "--format", "idx", "--from", FASHION, "-o", "json"))
        self.assertEqual(run.json["itemCount"], "70000")
        self.assertEqual(run.json["classes"], [str(i) for i in range(10)])
        create_split("fashion-a", "--dataset", "fashion")
        items = []
        server("create", "split", "fashion-b", "--dataset", "fashion", "--task", "classification", "--ratios",
               "train=70,validation=10,test=20", "--strategy", "stratified")
        for part, count in {"train": 49000, "validation": 7000, "test": 14000}.items():
            run = self.assertRun(server("get", "items", "--split", "fashion-b", "--part", part, "--names", "-o", "jsonl"))
            part_items = [json.loads(line) for line in run.out.splitlines()]
            self.assertEqual(len(part_items), count)
            items += part_items
        self.assertEqual(sorted(int(item["index"]) for item in items), list(range(70000)))
        by_index = {int(item["index"]): item for item in items}
        self.assertEqual(by_index[17]["uri"], "train-images-idx3-ubyte.gz#17")
        self.assertEqual(by_index[60000]["uri"], "t10k-images-idx3-ubyte.gz#0")
        self.assertEqual((by_index[0]["label"], by_index[60000]["label"]), (9, 9))
        self.assertRun(server("delete", "dataset", "fashion"), code=5, err="fashion-b")

    def test_ranks_part_the_items(self):
        whole = server("get", "items", "digits-a", "--part", "test", "-o", "name").out.split()
        ranks = [server("get", "items", "--split", "digits-a", "--part", "test", "--rank", r, "--world-size", 3, "-o", "name").out.split()
                 for r in range(3)]
        self.assertEqual([whole[r::3] for r in range(3)], ranks)
        self.assertRun(server("get", "items", "--split", "digits-a"), code=2, err="--part")
        self.assertRun(server("get", "items", "--split", "digits-a", "--part", "tests"), code=2, err="validation")
        self.assertRun(server("get", "items", "--split", "digits-a", "--part", "test", "--rank", 3, "--world-size", 3), code=6, err="rank")

    def import_from(self, name, *more, **files):
        source = folder / name
        source.mkdir()
        for file, content in files.items():
            (source / file.replace("__", "-")).write_bytes(content)
        return server("import", "dataset", name, "--format", "idx", "--from", source, *more)

    def test_bad_idx_files(self):
        images, labels = "train__images__idx3__ubyte", "train__labels__idx1__ubyte"
        good = {images: idx.images(4), labels: idx.labels([0, 1, 2, 1])}
        compressed = idx.gzip.compress(idx.images(4))
        cases = {
            "cut-labels": ({labels: idx.labels([0, 1, 2, 1])[:-1]}, "cut short: 3 of 4"),
            "cut-header": ({labels: idx.labels([0])[:6]}, "cut short"),
            "cut-images": ({images: idx.images(4)[:-5]}, "cut short: 19 of 24"),
            "long-images": ({images: idx.images(4) + b"x"}, "goes on after the 24 elements"),
            "wrong-magic": ({labels: idx.labels([0, 1, 2, 1], magic=0x803)}, "expected 00 00 08 01"),
            "wrong-type": ({images: idx.images(4, magic=0xD03)}, "expected 00 00 08 03"),
            "no-rows": ({images: idx.images(4, rows=0)}, "0 rows or columns"),
            "huge": ({images: b"\x00\x00\x08\x03\xff\xff\xff\xff" + b"\x00\x00\x00\x02" * 2}, "4294967295 items"),
            "other-count": ({labels: idx.labels([0, 1, 2])}, "4 images, but"),
            "cut-gzip": ({images: compressed[:-12]}, "cut short"),
            "damaged-gzip": ({images: compressed[:12] + b"\xff\xff\xff\xff" + compressed[16:]}, "damaged"),
            "empty": ({labels: b""}, "cut short: 0 of 8"),
        }
        for name, (change, message) in cases.items():
            with self.subTest(name):
                run = self.import_from(name, **{**good, **change})
                self.assertRun(run, code=6, err=[message, "train-"])
                self.assertRun(server("get", "dataset", name), code=3)
        self.assertRun(self.import_from("no-labels", **{images: good[images]}), code=6, err="train-labels-idx1-ubyte")
        self.assertRun(self.import_from("nothing"), code=6, err="no files")
        self.assertRun(server("import", "dataset", "x", "--format", "idx", "--from", "/nonexistent"), code=6, err="/nonexistent")
        self.assertRun(server("import", "dataset", "x", "--format", "tfrecord", "--from", "/"), code=2, err="idx")

    def test_classes(self):
        good = {"a__images__idx3__ubyte": idx.images(3), "a__labels__idx1__ubyte": idx.labels([0, 1, 2])}
        run = self.assertRun(self.import_from("named", "--classes", "cat,dog,cow", "-o", "json", **good))
        self.assertEqual(run.json["classes"], ["cat", "dog", "cow"])
        self.assertRun(self.import_from("few", "--classes", "cat,dog", **good), code=6, err=["label is 2", "0 to 1", "a-images-idx3-ubyte#2"])
        self.assertRun(self.import_from("twice", "--classes", "cat,dog,cat", **good), code=6, err="--classes")
        self.assertRun(server("import", "dataset", "named", "--format", "idx", "--from", folder / "named"), code=5)

    def test_splits(self):
        run = self.assertRun(create_split("stratified", "--strategy", "stratified", "-o", "json"))
        self.assertEqual([run.json[f"{part}Count"] for part in ("train", "validation", "test")], ["70", "10", "20"])
        self.assertRun(create_split("stratified"), code=5)
        self.assertRun(create_split("dry", "--dry-run"))
        self.assertRun(server("get", "split", "dry"), code=3)
        self.assertRun(create_split("bad", "--strategy", "grouped"), code=6, err=["grouped", "random, stratified"])
        base = ("create", "split", "bad", "--dataset", "digits", "--task", "classification", "--ratios")
        self.assertRun(server(*base, "train=70"), code=6, err="100")
        self.assertRun(server(*base, "train=100", "--seed", "-1"), code=6, err='--seed is "-1", must be an integer of 0 or more')
        self.assertRun(server(*base, "train=70,dev=30"), code=6, err="dev")
        self.assertRun(server(*base, "train"), code=2, err="--ratios")
        self.assertRun(server(*base, "train=x"), code=6, err="number")
        self.assertRun(server("create", "split", "Bad!", "--dataset", "none", "--task", "x", "--ratios", "train=100"), code=6)


class ExperimentTest(Case):
    def test_flags(self):
        run = self.assertRun(create_experiment(
            "flags", "--loss", "classification=cross_entropy", "--param", "classification.label_smoothing=0.1", "--param",
            "classification.class_weights=" + ",".join(["2"] * 10), "--loss-weight", "classification=0.5", "-o", "json"))
        head = run.json["heads"][0]
        self.assertEqual(head["params"]["label_smoothing"], 0.1)
        self.assertEqual(head["params"]["class_weights"], [2] * 10)
        self.assertEqual(head["weight"], 0.5)
        self.assertEqual(run.json["training"]["epochs"], 2)
        self.assertEqual(run.json["metrics"], ["accuracy"])
        self.assertEqual(run.json["state"], "EXPERIMENT_STATE_DRAFT")

    def test_defaults_and_parameters_of_the_default_loss(self):
        run = self.assertRun(create_experiment("defaults", "--param", "classification.label_smoothing=0.2", "-o", "json"))
        self.assertEqual(run.json["heads"][0]["loss"], "cross_entropy")
        self.assertEqual(run.json["heads"][0]["params"]["label_smoothing"], 0.2)

    def test_the_reduction_goes_as_a_parameter(self):
        run = self.assertRun(create_experiment("reduced", "--param", "classification.reduction=mean_all", "-o", "json"))
        self.assertEqual(run.json["heads"][0]["reduction"], "REDUCTION_MEAN_ALL")
        self.assertNotIn("reduction", run.json["heads"][0]["params"])
        run = create_experiment("bad", "--param", "classification.reduction=median")
        self.assertRun(run, code=6, err=['--param classification.reduction is "median"', "mean, mean_all, sum, given, none"])

    def test_dry_run_stores_nothing(self):
        run = self.assertRun(create_experiment("dry", "--dry-run", "-o", "json"), err="dry run")
        self.assertEqual(run.json["name"], "experiments/dry")
        self.assertRun(server("get", "experiment", "dry"), code=3)

    def test_settings_by_path(self):
        run = self.assertRun(create_experiment("paths", "--set", "training.seed=9007199254740992", "--set",
                                               "training.rank_mean=per-rank", "--set", "architecture_parameters.channels=16",
                                               "--set", "training.learningRate=1e-3", "-o", "json"))
        training = run.json["training"]
        self.assertEqual(training["seed"], "9007199254740992")
        self.assertEqual(training["rankMean"], "RANK_MEAN_PER_RANK")
        self.assertEqual(training["learningRate"], 0.001)
        self.assertEqual(run.json["architectureParameters"]["channels"], 16)
        for setting, message in {
            "training.epoch=5": 'did you mean "epochs"',
            "trainin.epochs=5": 'did you mean "training"',
            "training.epochs=five": "integer",
            "training.epochs=5000000000": "32 bits",
            "training.learning_rate=fast": "number",
            "training.rank_mean=all": "per_rank, global",
            "training=5": "fields of its own",
            "losses=5": "list",
            "training.epochs.x=1": "no fields",
        }.items():
            with self.subTest(setting):
                self.assertRun(create_experiment("bad", "--set", setting), code=6, err=["--set", message])
        self.assertRun(create_experiment("bad", "--set", "training.epochs"), code=2, err="PATH=VALUE")

    def test_solver_and_scheduler_by_path(self):
        settings = ("training.solver=sgd", "training.solver_parameters.momentum=0.9", "training.solverParameters.nesterov=true",
                    "training.scheduler=multi_step_lr", "training.scheduler_parameters.milestones=1,2")
        run = self.assertRun(create_experiment("solved", *(w for s in settings for w in ("--set", s)), "-o", "json"))
        training = run.json["training"]
        self.assertEqual(training["solverParameters"], {"momentum": 0.9, "nesterov": True, "dampening": 0, "weight_decay": 0})
        self.assertEqual(training["schedulerParameters"], {"milestones": [1, 2], "gamma": 0.1})
        again = server("get", "experiment", "solved", "-o", "yaml").out.replace("experiments/solved", "experiments/solved-again")
        run = self.assertRun(server("create", "experiment", "-f", "-", "-o", "json", stdin=again))
        self.assertEqual(run.json["training"], training)
        self.assertRun(create_experiment("bad", "--set", "training.solver=sgd", "--set", "training.solver_parameters.nesterov=true"),
                       code=6, err=["solverParameters.nesterov", "momentum > 0"])

    def test_all_problems_at_once(self):
        run = self.assertRun(create_experiment("bad", "--loss", "classification=mse", "--set", "training.epochs=-1", "--metric", "acuracy"),
                             code=6, err=["mse", "cross_entropy", "training.epochs", "accuracy"])
        self.assertEqual(run.out, "")
        self.assertRun(create_experiment("bad", "--loss", "classification=mse"), code=5, err=["not valid", "cross_entropy"])
        run = self.assertRun(create_experiment("bad", "--loss", "classification=mse+cross_entropy+binary_cross_entropy"), code=5,
                             err=["loss mse is not valid", "loss binary_cross_entropy is not valid"])
        self.assertNotIn("loss cross_entropy is not", run.err)
        self.assertRun(create_experiment("bad", "--loss", "classification=cross_entrop"), err="cross_entropy", code=6)
        self.assertRun(create_experiment("bad", "--loss", "clasification=cross_entropy"), err="classification", code=6)
        self.assertRun(create_experiment("bad", "--param", "classification.label_smothing=1"), err="label_smoothing", code=6)
        self.assertRun(create_experiment("bad", "--param", "label_smoothing=1"), code=2, err="HEAD.KEY=VALUE")
        self.assertRun(create_experiment("bad", "--loss", "cross_entropy"), code=2, err="HEAD=ID")
        self.assertRun(create_experiment("bad", "--loss-weight", "classification=x"), code=6, err="number")

    def test_yaml_round_trip(self):
        self.assertRun(create_experiment("source", "--param", "classification.label_smoothing=0.25"))
        exported = self.assertRun(server("get", "experiment", "source", "-o", "yaml")).out
        run = self.assertRun(server("create", "experiment", "copy", "-f", "-", "-o", "json", stdin=exported))
        source = server("get", "experiment", "source", "-o", "json").json
        for key in ("split", "architecture", "losses", "metrics", "training", "heads"):
            self.assertEqual(run.json[key], source[key], key)
        self.assertEqual(run.json["name"], "experiments/copy")
        run = self.assertRun(server("create", "experiment", "changed", "-f", "-", "--set", "training.epochs=9", "-o", "json", stdin=exported))
        self.assertEqual(run.json["training"]["epochs"], 9)

    def test_bad_yaml_names_file_and_line(self):
        text = "\n".join([
            "split: digits-a", "architecture: small-cnn", "trainig:", "  epochs: 2", "training:", "  epochs: two",
            "  rank_mean: everyone", "losses: cross_entropy", "metrics:", "  - [a]", "split: other"])
        file = folder / "bad.yaml"
        file.write_text(text)
        run = self.assertRun(server("create", "experiment", "bad", "-f", file), code=6)
        for line in (f'{file}:3: there is no field "trainig"; did you mean "training"?', f'{file}:6: epochs is "two"',
                     f"{file}:7: rank_mean", f"{file}:8: losses is not a list", f"{file}:10: metrics", f"{file}:11: split comes twice"):
            self.assertIn(line, run.err)
        file.write_text("split: [unfinished\n  x: {")
        self.assertRun(server("create", "experiment", "bad", "-f", file), code=6, err=f"{file}:")
        self.assertRun(server("create", "experiment", "bad", "-f", "/nonexistent"), code=6, err="/nonexistent")
        self.assertRun(server("create", "experiment", "-f", "-", stdin="split: a"), code=2, err="name")
        file.write_text("# nothing but this\n")
        run = self.assertRun(server("create", "experiment", "bad", "-f", file), code=6, err=f"{file}: is empty")
        self.assertNotIn(f"{file}:", run.err.replace(f"{file}: is empty", ""))

    def test_start_cancel_watch_wait(self):
        self.assertRun(create_experiment("life"))
        watched = {}
        watcher = threading.Thread(target=lambda: watched.update(run=server("watch", "experiment", "life", "-o", "jsonl")))
        watcher.start()
        self.assertRun(server("wait", "experiment", "life", "--timeout", "0.2"), code=7)
        self.assertRun(server("start", "experiment", "life", "--etag", "77"), code=5)
        started = self.assertRun(server("start", "experiment", "life", "-o", "json"))
        self.assertEqual(started.json["experiment"]["state"], "EXPERIMENT_STATE_QUEUED")
        self.assertGreater(len(started.json["attemptToken"]), 8)
        self.assertRun(server("start", "experiment", "life"), code=5, err="QUEUED")
        self.assertRun(server("wait", "experiment", "life", "--for", "state=QUEUED"))
        self.assertRun(server("cancel", "experiment", "life", "-o", "name"), out="life\n")
        watcher.join()
        self.assertRun(watched["run"])
        events = [json.loads(line) for line in watched["run"].out.splitlines()]
        self.assertEqual([e["experiment"]["state"][17:] for e in events if "experiment" in e], ["DRAFT", "QUEUED", "CANCELLED"])
        self.assertEqual([int(e["revision"]) for e in events if "progress" not in e], [1, 2, 3])
        self.assertRun(server("watch", "experiment", "life", "--from-revision", 2), out="cancelled")
        self.assertNotIn("queued", server("watch", "experiment", "life", "--from-revision", 2).out)
        self.assertRun(server("wait", "experiment", "life"), code=8, err="cancelled")
        self.assertRun(server("wait", "experiment", "life", "--for", "state=CANCELLED"))
        self.assertRun(server("wait", "experiment", "life", "--for", "state=finished"), code=2, err="succeeded")
        self.assertRun(server("wait", "experiment", "nobody"), code=3)
        self.assertRun(server("cancel", "experiment", "life"), code=5)
        self.assertRun(server("watch", "experiment", "life", "--from-revision", 99), code=6)
        epochs = self.assertRun(server("get", "epochs", "life", "-o", "json")).json
        self.assertEqual(self.assertRun(server("get", "epochs", "--experiment", "life", "-o", "json")).json, epochs)
        self.assertRun(server("get", "epochs", "life", "--experiment", "life"), code=2, err="--experiment")
        self.assertRun(server("get", "epochs"), code=2, err="--experiment")
        table = self.assertRun(server("get", "experiments"))
        self.assertNotIn("\x1b", table.out + server("watch", "experiment", "life").out)

    def test_start_prints_the_token_for_people_and_the_id_for_scripts(self):
        self.assertRun(create_experiment("token-a"))
        run = self.assertRun(server("start", "experiment", "token-a"))
        self.assertRegex(run.out, r"(?m)^token \S+$")
        self.assertRun(create_experiment("token-b"))
        self.assertEqual(server("start", "experiment", "token-b", "-o", "name").out, "token-b\n")


class ProgramTest(Case):
    def test_usage_errors(self):
        for words, message in {
            ("gt", "tasks"): 'did you mean "get"',
            ("get", "losss"): 'did you mean "losses"',
            ("get",): "required",
            (): "required",
            ("get", "tasks", "--colour"): "--colour",
            ("get", "tasks", "-o", "xml"): "table, json, jsonl, yaml, name",
            ("get", "tasks", "--timeout", "soon"): "--timeout",
            ("create", "split", "x"): "required",
            ("describe", "task"): "NAME",
            ("get", "experiment", ""): "NAME: is empty",
            ("eval", "loss", "mse"): "--input",
        }.items():
            with self.subTest(words):
                run = self.assertRun(gradeline(*words), code=2, err=message)
                self.assertEqual(run.out, "")

    def test_global_flags_anywhere(self):
        for words in (("--server", server.address, "-o", "name", "get", "tasks"), ("get", "--server", server.address, "tasks", "-o", "name"),
                      ("get", "tasks", "-oname", f"--server={server.address}"), ("get", "tasks", "-o=name", f"--server={server.address}")):
            self.assertRun(gradeline(*words), out="classification\n")

    def test_the_flag_wins_over_the_environment(self):
        self.assertRun(gradeline("get", "tasks", "--server", server.address, server="127.0.0.1:1"))
        self.assertRun(gradeline("get", "tasks", server="127.0.0.1:1"), code=7)

    def test_a_target_may_name_several_servers(self):
        dead = "127.0.0.1:1"
        for servers in (f"{dead},{server.address}", f"{server.address},{dead}"):
            self.assertRun(gradeline("get", "tasks", "--server", f"ipv4:{servers}"))
            self.assertRun(gradeline("get", "tasks", server=f"ipv4:{servers}"))
            self.assertRun(gradeline("get", "tasks", server=servers), code=6, err="ipv4:IP:port,IP:port")
        self.assertRun(gradeline("get", "tasks", server=f"dns:///{server.address}"))
        self.assertRun(gradeline("get", "tasks", server=f"ipv4:{dead},127.0.0.1:2"), code=7, err="no server answers")
        self.assertRun(gradeline("get", "tasks", server=f"ipv4:127.0.0.1,{server.address}"), code=6)

    def test_errors_in_json(self):
        run = self.assertRun(create_experiment("bad", "--set", "training.epochs=-1", "-o", "json"), code=6)
        self.assertEqual(run.out, "")
        error = json.loads(run.err)["error"]
        self.assertEqual(error["code"], 3)
        fields = [v["field"] for d in error["details"] for v in d.get("fieldViolations", [])]
        self.assertEqual(fields, ["experiment.training.epochs"])
        for form in (("-o", "json"), ("-o=json",)):
            self.assertEqual(json.loads(gradeline("get", "tasks", "--nothing", *form).err)["error"]["code"], 3)

    def test_help_and_version(self):
        self.assertRun(gradeline("--help"), out="Examples:")
        self.assertRun(gradeline("help"), out="Examples:")
        self.assertRun(gradeline("get", "losses", "--help"), out="--architecture")
        self.assertRun(gradeline("help", "create", "experiment"), out="--set")
        for words in (("help", "get", "epochs"), ("get", "epochs", "--help")):
            text = self.assertRun(gradeline(*words)).out
            self.assertIn("Usage: gradeline get epochs [OPTIONS]", text)
            self.assertIn("Example: gradeline get epochs --experiment", text)
        self.assertRun(gradeline("help", "nothing"), code=2)
        self.assertRun(gradeline("version"), out="gradeline 0.")
        self.assertRun(gradeline("--version"), out="gradeline 0.")
        codes = self.assertRun(gradeline("help", "exit-codes")).out
        for code in range(9):
            self.assertRegex(codes, rf"(?m)^ +{code} ")

    def test_server_status(self):
        run = self.assertRun(server("server", "status", "-o", "json"))
        self.assertEqual(run.json["grpcAddress"], server.address)
        self.assertRun(server("server", "status"), out=server.address)

    def test_completion(self):
        def complete(*words):
            return server("__complete", "--", *words).out.split("\n")[:-1]

        self.assertEqual(complete("cre"), ["create"])
        self.assertEqual(complete("get", "lo"), ["losses"])
        self.assertEqual(complete("describe", "loss", "cross"), ["cross_entropy", "cross_entropy_iou_2d"])
        self.assertEqual(complete("eval", "loss", "bin"), ["binary_cross_entropy"])
        self.assertEqual(complete("preview", "schedule", "cyc"), ["cyclic_lr"])
        self.assertEqual(complete("eval", "loss", "--reduction", "mean_"), ["mean_all"])
        self.assertIn("--architecture", complete("get", "losses", "--ar"))
        self.assertEqual(complete("get", "losses", "--task", "pan"), ["panoptic-segmentation"])
        create_experiment("complete-me")
        self.assertEqual(complete("watch", "experiment", "complete-"), ["complete-me"])
        self.assertEqual(complete("get", "epochs", "complete-"), ["complete-me"])
        self.assertIn("json", complete("get", "tasks", "-o", "j"))
        self.assertEqual(gradeline("__complete", "--", "get", "experiment", "x", server="127.0.0.1:1").out, "")
        for shell in ("bash", "zsh", "fish"):
            self.assertRun(gradeline("completion", shell), out="__complete")

    def test_bash_reads_its_completion(self):
        import subprocess
        script = gradeline("completion", "bash").out
        done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_closed_standard_output_is_an_error(self):
        import os
        import subprocess
        from gradeline_cli import BIN
        with open("/dev/full", "w") as full:
            done = subprocess.run([BIN / "gradeline", "help", "exit-codes"], stdout=full, stderr=subprocess.PIPE, env=os.environ)
        self.assertEqual(done.returncode, 1)


if __name__ == "__main__":
    unittest.main()
