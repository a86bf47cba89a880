"""import dataset in every format against a real server: what is registered, what is refused, and what comes after."""

import collections
import gzip
import json
import os
import pathlib
import pty
import shutil
import subprocess
import tempfile
import unittest

import coco
import idx
from gradeline_cli import BIN, Case, Server


def setUpModule():
    global server, folder
    server = Server()
    folder = pathlib.Path(tempfile.mkdtemp())


def tearDownModule():
    server.close()
    shutil.rmtree(folder)


def import_text(name, form, text, *more):
    path = folder / f"{name}.{form}"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return server("import", "dataset", name, "--format", form, "--from", path, *more)


class ImportCase(Case):
    def items(self, dataset, task="classification"):
        """All items of a dataset, by way of a split; by index."""
        split = f"{dataset}-all"
        self.assertRun(server("create", "split", split, "--dataset", dataset, "--task", task, "--ratios", "train=100,validation=0,test=0"))
        run = self.assertRun(server("get", "items", "--split", split, "--part", "train", "--names", "-o", "jsonl"))
        return [json.loads(line) for line in run.out.splitlines()]


class FormatsTest(ImportCase):
    def test_csv(self):
        text = 'path,label,group,tags,subset,width\na.png,dog,g1,night; rain,train,3\n"b, c.png",cat,,,val,4\nd.png,dog,g1,,,5\n'
        run = self.assertRun(import_text("csv-plain", "csv", text), err='not read: "width"')
        self.assertEqual([line.split() for line in run.out.splitlines()][3:],
                         [["CLASS", "ITEMS", "ANNOTATIONS"], ["cat", "1", "1"], ["dog", "2", "2"], [],
                          ["SUBSET", "ITEMS"], ["-", "1"], ["train", "1"], ["val", "1"]])
        dataset = server("get", "dataset", "csv-plain", "-o", "json").json
        self.assertEqual(dataset["classes"], ["cat", "dog"])
        self.assertEqual(dataset["classCounts"][1], {"class": "dog", "items": "2", "annotations": "2"})
        self.assertEqual(dataset["subsetCounts"], [{"subset": "", "items": "1"}, {"subset": "train", "items": "1"}, {"subset": "val", "items": "1"}])
        self.assertEqual(len(dataset["fingerprint"]), 64)
        first, second, third = self.items("csv-plain")
        self.assertEqual((first["uri"], first["label"], first["group"], first["tags"], first["subset"], first["dataset"]),
                         ("a.png", 1, "g1", ["night", "rain"], "train", "datasets/csv-plain"))
        self.assertEqual((second["uri"], second["label"], third["subset"]), ("b, c.png", 0, ""))

    def test_csv_with_labels(self):
        run = self.assertRun(import_text("csv-labels", "csv", gzip.compress(b"path,labels\na,dog;cat;dog\nb,\n"), "-o", "json"))
        self.assertEqual((run.json["multiLabel"], run.json["classes"]), (True, ["cat", "dog"]))
        self.assertEqual(run.json["classCounts"][1], {"class": "dog", "items": "1", "annotations": "2"})
        self.assertEqual([item["labels"] for item in self.items("csv-labels", "tagging")], [[0, 1, 1], []])
        rows = self.assertRun(server("get", "items", "--split", "csv-labels-all", "--part", "train")).out.splitlines()
        self.assertEqual([row.split()[:2] for row in rows], [["ITEM", "LABEL"], ["0", "0,1,1"], ["1", "-"]])

    def test_csv_from_standard_input(self):
        run = server("import", "dataset", "csv-piped", "--format", "csv", "--from", "-", "--subset", "all", stdin="path,label\na,x\n")
        self.assertRun(run)
        self.assertEqual(server("get", "dataset", "csv-piped", "-o", "json").json["subsetCounts"], [{"subset": "all", "items": "1"}])

    def test_coco(self):
        path = folder / "made.json"
        images, annotations = coco.write(path, 300_000, seed=5)
        run = self.assertRun(server("import", "dataset", "coco", "--format", "coco", "--from", path, "-o", "json"))
        self.assertEqual((run.json["itemCount"], run.json["multiLabel"]), (str(images), True))
        made = json.loads(path.read_text())
        names = [kind["name"] for kind in sorted(made["categories"], key=lambda kind: kind["id"])]
        self.assertEqual(run.json["classes"], names)
        label = {kind["id"]: names.index(kind["name"]) for kind in made["categories"]}
        wanted = collections.defaultdict(list)
        for each in made["annotations"]:
            wanted[each["image_id"]].append(label[each["category_id"]])
        crowds = {each["image_id"] for each in made["annotations"] if each["iscrowd"]}
        self.assertGreater(len(crowds), 0)
        self.assertEqual(sum(int(count["annotations"]) for count in run.json["classCounts"]), annotations)
        for item, image in zip(self.items("coco", "object-detection"), made["images"], strict=True):
            self.assertEqual(item["uri"], image["file_name"])
            self.assertEqual(item["labels"], sorted(wanted[image["id"]]))
            self.assertEqual(item["tags"], ["crowd"] if image["id"] in crowds else [])

    def test_folder(self):
        root = folder / "images"
        for path in ("train/dog/1.jpg", "train/cat/2.PNG", "val/dog/3.jpg", "val/dog/readme.txt", "val/.cache/dog/4.jpg"):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).touch()
        run = self.assertRun(server("import", "dataset", "folder", "--format", "folder", "--from", root, "-o", "json"), err="skipped: 1")
        self.assertEqual(run.json["classes"], ["cat", "dog"])
        self.assertEqual([(item["uri"], item["label"], item["subset"]) for item in self.items("folder")],
                         [("train/cat/2.PNG", 0, "train"), ("train/dog/1.jpg", 1, "train"), ("val/dog/3.jpg", 1, "val")])
        (root / "val/cow").mkdir()
        self.assertRun(server("import", "dataset", "no-cow", "--format", "folder", "--from", root), code=6, err='class "cow": has no images')

    def test_idx_has_the_files_as_subsets(self):
        root = folder / "digits"
        root.mkdir()
        idx.write(root, "train", [0, 1, 1])
        idx.write(root, "t10k", [2])
        run = self.assertRun(server("import", "dataset", "digits", "--format", "idx", "--from", root, "-o", "json"))
        self.assertEqual(run.json["subsetCounts"], [{"subset": "t10k", "items": "1"}, {"subset": "train", "items": "3"}])
        self.assertFalse(run.json["multiLabel"])

    def test_flags_that_do_not_fit(self):
        self.assertRun(import_text("x", "csv", "path,label\na,b\n", "--format", "tfrecord"), code=2)
        run = server("import", "dataset", "x", "--format", "tfrecord", "--from", folder)
        self.assertRun(run, code=2, err="coco, csv, folder, idx")
        self.assertRun(import_text("x", "coco", "{}", "--classes", "a"), code=2, err="--classes goes with")
        self.assertRun(server("import", "dataset", "x", "--format", "csv", "--from", folder), code=6, err="directory")
        self.assertRun(server("import", "dataset", "x", "--format", "coco", "--from", "/nonexistent"), code=6, err="cannot open")


class BrokenTest(ImportCase):
    def test_every_broken_row_is_told_and_nothing_is_kept(self):
        rows = ["a.png,dog", "b.png", ",dog", "c.png,"] + ["d.png,dog"] * 3 + ["\"e\"f,dog", "g.png,cow"]
        run = import_text("broken", "csv", "path,label\n" + "\n".join(rows), "--classes", "cat,dog")
        self.assertRun(run, code=6, err=["5 problems; nothing was imported", "line 3: the row has 1 fields", "line 4: path is empty",
                                         "line 5: label is empty", "line 9: field 1 goes on", 'line 10: label is "cow"'])
        self.assertRun(server("get", "dataset", "broken"), code=3)

    def test_the_first_thousand_are_told(self):
        run = self.assertRun(import_text("thousands", "csv", "path,label\n" + ",dog\n" * 1500), code=6, err="and 500 more")
        self.assertEqual(len([line for line in run.err.splitlines() if "path is empty" in line]), 1000)

    def test_broken_coco(self):
        text = '{"images": [{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}], "annotations": [{"image_id": 9, "category_id": 1}]}'
        self.assertRun(import_text("broken-coco", "coco", text), code=6,
                       err=[f"images[1] at byte {text.index(', {') + 2}: id 1 is that of an image before it"])
        whole = '{"images": [{"id": 1, "file_name": "a"}], "annotations": [{"image_id": 9, "category_id": 2}], "categories": [{"id": 1, "name": "x"}]}'
        place = f"annotations[0] at byte {whole.index('{', 45)}: "
        self.assertRun(import_text("broken-coco", "coco", whole), code=6,
                       err=[place + "image_id is 9", place + "category_id is 2"])
        self.assertRun(import_text("broken-coco", "coco", whole[:60]), code=6, err="is no JSON")
        self.assertRun(import_text("broken-coco", "coco", gzip.compress((whole + " " * 1000).encode())[:-9]), code=6, err="cut short")
        self.assertRun(server("get", "dataset", "broken-coco"), code=3)


class AgainTest(ImportCase):
    def test_the_same_content_is_recognised(self):
        text = "path,label\na,x\nb,y\n"
        first = self.assertRun(import_text("again", "csv", text, "-o", "json")).json
        second = self.assertRun(import_text("again", "csv", text, "-o", "json"), err="nothing was imported").json
        self.assertEqual(first, second)
        other = self.assertRun(import_text("again-twin", "csv", text, "-o", "json"), err="the same content has dataset again")
        self.assertEqual(other.json["fingerprint"], first["fingerprint"])
        self.assertRun(import_text("again", "csv", text + "c,x\n"), code=5, err="exists, with other content")
        self.assertEqual(server("get", "dataset", "again", "-o", "json").json, first)

    def test_delete_undelete_purge(self):
        text = "path,label\nda,x\ndb,y\n"
        made = self.assertRun(import_text("doomed", "csv", text, "-o", "json")).json
        self.assertRun(server("undelete", "dataset", "doomed"), code=5, err="is not deleted")
        self.assertRun(server("delete", "dataset", "doomed"), err="deleted dataset doomed")
        self.assertRun(server("get", "dataset", "doomed"), code=3, err="is deleted")
        self.assertNotIn("doomed", server("get", "datasets", "-o", "name").out.split())
        self.assertIn("doomed", server("get", "datasets", "--show-deleted", "-o", "name").out.split())
        self.assertIn("deleteTime", server("get", "dataset", "doomed", "--show-deleted", "-o", "json").json)
        self.assertRun(server("delete", "dataset", "doomed"), code=3)
        self.assertRun(import_text("doomed", "csv", text), code=5, err="undelete it")
        self.assertEqual(self.assertRun(server("undelete", "dataset", "doomed", "-o", "json")).json, made)
        self.assertRun(server("purge", "dataset", "doomed"), code=5, err="not deleted")
        self.assertRun(server("delete", "dataset", "doomed"))
        self.assertRun(server("purge", "dataset", "doomed"), err="purged")
        self.assertRun(server("get", "dataset", "doomed", "--show-deleted"), code=3)
        self.assertRun(import_text("doomed", "csv", text.replace("x", "z")))

    def test_what_a_deletion_would_break_is_told(self):
        self.assertRun(import_text("used", "csv", "path,label\n" + "".join(f"u{i},x{i % 2}\n" for i in range(20))))
        self.items("used")
        flags = ("--split", "used-all", "--architecture", "small-cnn", "--set", "training.epochs=1")
        self.assertRun(server("create", "experiment", "over-used", *flags))
        self.assertRun(server("delete", "dataset", "used"), code=5, err=["1 split (used-all)", "1 experiment (over-used)", "DATASET_IN_USE"])
        self.assertRun(server("purge", "dataset", "used"), code=5, err="used-all")
        self.assertRun(server("delete", "dataset", "used", "--force"))
        run = self.assertRun(server("get", "items", "--split", "used-all", "--part", "train", "-o", "name"))
        self.assertEqual(len(run.out.split()), 20)
        late = ("create", "split", "late", "--dataset", "used", "--task", "classification", "--ratios", "train=70,validation=10,test=20")
        self.assertRun(server(*late), code=6, err="dataset used is deleted")


class ProgressTest(ImportCase):
    def test_only_a_terminal_sees_progress(self):
        path = folder / "long.csv"
        path.write_text("path,labels\n" + "".join(f"images/{i:09}.jpg,{';'.join('abcdefgh')}\n" for i in range(400_000)))
        words = [str(BIN / "gradeline"), "import", "dataset", "long", "--format", "csv", "--from", str(path), "-o", "name"]
        env = {**os.environ, "GRADELINE_SERVER": server.address}
        ours, theirs = pty.openpty()
        done = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=theirs, env=env)
        os.close(theirs)
        seen = b""
        try:
            while piece := os.read(ours, 4096):
                seen += piece
        except OSError:  # the other side is closed
            pass
        self.assertEqual(done.communicate(timeout=120)[0], b"long\n")
        self.assertEqual(done.returncode, 0, seen)
        self.assertIn(b" %", seen)
        self.assertTrue(seen.rstrip(b"\r").endswith(b" "), "the line is wiped")
        run = self.assertRun(server("import", "dataset", "long-again", "--format", "csv", "--from", path, "-o", "name"))
        self.assertEqual((run.out, run.err), ("long-again\n", "the same content has dataset long\n"))


if __name__ == "__main__":
    unittest.main()
