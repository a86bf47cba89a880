"""create, get, delete, undelete split and get items through the real programs."""

import unittest

from gradeline_cli import Server

HEADER = "path,labels,group,tags,subset\n"


def rows(count, prefix="scene"):
    """Items of three classes in groups of four; one in five is at night, the last quarter is of the subset val."""
    lines = [HEADER]
    for number in range(count):
        labels = ("cat", "dog", "cat;dog", "bird")[number % 4]
        tags = "night" if number % 5 == 0 else ""
        lines.append(f"{prefix}/{number:04d}.jpg,{labels},{prefix}{number // 4},{tags},{'val' if number >= count * 3 // 4 else 'train'}\n")
    return "".join(lines)


class SplitTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.close)
        for name, count in (("scenes", 400), ("more", 100)):
            path = cls.server.path / f"{name}.csv"
            path.write_text(rows(count, name))
            run = cls.server("import", "dataset", name, "--format", "csv", "--from", path)
            assert run.code == 0, run

    def call(self, *words, code=0, err=""):
        run = self.server(*words)
        self.assertEqual(run.code, code, run)
        self.assertIn(err, run.err)
        return run

    def create(self, name, *words, datasets="scenes", **options):
        return self.call("create", "split", name, "--dataset", datasets, "--task", "tagging", *words, "-o", "json", **options)

    def items(self, split, part, *words):
        return self.call("get", "items", "--split", split, "--part", part, *words, "-o", "json").json.get("items", [])

    def test_the_default_ratios_and_every_item_in_one_part(self):
        split = self.create("plain").json
        self.assertEqual((split["trainCount"], split["validationCount"], split["testCount"]), ("280", "40", "80"))
        indices = sorted(int(item.get("index", 0)) for part in ("train", "validation", "test") for item in self.items("plain", part))
        self.assertEqual(indices, list(range(400)))

    def test_stratified_keeps_the_classes_shares(self):
        split = self.create("even", "--strategy", "stratified").json
        self.assertEqual({entry["className"] for entry in split["classBalance"]}, {"cat", "dog", "bird"})
        for entry in split["classBalance"]:
            train, validation, test = (int(entry[f"{part}Count"]) for part in ("train", "validation", "test"))
            total = train + validation + test
            self.assertLessEqual(abs(train - 0.7 * total), 0.04 * total, entry)
            self.assertLessEqual(abs(validation - 0.1 * total), 0.04 * total, entry)

    def test_a_group_is_never_parted(self):
        self.create("grouped", "--strategy", "group")
        part_of_group = {}
        for part in ("train", "validation", "test"):
            for item in self.items("grouped", part, "--names"):
                self.assertEqual(part_of_group.setdefault(item["group"], part), part)
        self.assertEqual(len(part_of_group), 100)

    def test_whole_datasets_to_parts_and_the_rest_at_random(self):
        split = self.create("whole", "--strategy", "dataset", "--dataset-part", "more=test:80", datasets="scenes,more").json
        self.assertEqual(split["datasets"], ["datasets/scenes", "datasets/more"])
        of_more = [item for item in self.items("whole", "test") if item["dataset"] == "datasets/more"]
        self.assertGreaterEqual(len(of_more), 80)
        total = sum(int(split[f"{part}Count"]) for part in ("train", "validation", "test"))
        self.assertEqual(total, 500)
        self.create("wrong", "--strategy", "dataset", "--dataset-part", "more=exam", datasets="scenes,more", code=6, err="exam")
        self.create("wrong", "--strategy", "dataset", "--dataset-part", "more=test:0", datasets="scenes,more", code=6, err="has 0 %")
        self.create("wrong", "--ratios", "train=0,test=0", code=6, err="add up to 100")
        self.create("wrong", "--dataset-part", "more=test", datasets="scenes,more", code=6, err="DATASET only")

    def test_filters(self):
        night = self.create("night", "--tag", "night", "--class", "cat").json
        self.assertEqual(sum(int(night[f"{part}Count"]) for part in ("train", "validation", "test")), 40)
        val = self.create("val", "--subset", "val").json
        self.assertEqual(sum(int(val[f"{part}Count"]) for part in ("train", "validation", "test")), 100)
        self.create("none", "--class", "cta", code=6, err="near: cat")

    def test_names_come_only_on_request(self):
        self.create("names")
        first = self.items("names", "test")[0]
        self.assertEqual((first["uri"], "label" in first), ("", False), "an item with labels has no label")
        self.assertRegex(self.items("names", "test", "--names")[0]["uri"], r"^scenes/\d+\.jpg$")

    def test_ranks_share_a_part_without_gap_or_repeat(self):
        self.create("shared")
        whole = [item.get("index", "0") for item in self.items("shared", "train")]
        shards = [[item.get("index", "0") for item in self.items("shared", "train", "--rank", rank, "--world-size", 3)] for rank in range(3)]
        self.assertEqual(sorted(sum(shards, []), key=int), sorted(whole, key=int))
        self.assertLessEqual(max(map(len, shards)) - min(map(len, shards)), 1)

    def test_a_preview_stores_nothing_and_says_what_comes_out(self):
        preview = self.create("preview", "--ratios", "train=98,validation=1,test=1", "--dry-run").json
        self.assertIn("FEW_VALIDATION_ITEMS", [warning["reason"] for warning in preview["warnings"]])
        self.call("get", "split", "preview", code=3)
        table = self.call("create", "split", "preview", "--dataset", "scenes", "--task", "tagging", "--ratios",
                          "train=98,validation=1,test=1", "--dry-run")
        self.assertIn("warning: validation has 4 items", table.err)

    def test_equal_fingerprints_are_equal_splits(self):
        first, again, other = (self.create(name, "--seed", seed).json for name, seed in (("f1", 7), ("f2", 7), ("f3", 8)))
        self.assertEqual(first["fingerprint"], again["fingerprint"])
        self.assertNotEqual(first["fingerprint"], other["fingerprint"])

    def test_all_that_is_wrong_at_once(self):
        run = self.create("Wrong", "--ratios", "train=70,validation=10,test=30", "--class", "x", datasets="nowhere", code=6)
        for field in ("split.name", "split.dataset", "split.trainPercent"):
            self.assertIn(field, run.err)

    def test_delete_undelete_purge(self):
        self.create("gone")
        self.call("delete", "split", "gone")
        self.assertNotIn("gone", self.call("get", "splits", "-o", "name").out.split())
        self.assertIn("gone", self.call("get", "splits", "--show-deleted", "-o", "name").out.split())
        self.call("get", "items", "--split", "gone", "--part", "train", code=3, err="deleted")
        self.create("gone", code=5, err="exists")
        self.call("undelete", "split", "gone")
        self.call("undelete", "split", "gone", code=5, err="not deleted")
        self.call("purge", "split", "gone", code=5, err="not deleted")
        self.call("delete", "split", "gone")
        self.call("purge", "split", "gone")
        self.call("get", "split", "gone", code=3)
        self.create("gone")

    def test_one_in_use_is_deleted_only_by_force(self):
        self.create("used")
        self.call("create", "experiment", "user-of-it", "--split", "used", "--architecture", "resnet-multilabel")
        self.call("delete", "split", "used", code=5, err="user-of-it")
        self.call("delete", "split", "used", "--force")
        self.call("start", "experiment", "user-of-it", code=5, err="split used is deleted")
        self.call("clone", "experiment", "user-of-it", "another", code=5, err="split used is deleted")
        self.call("undelete", "split", "used")
        self.call("start", "experiment", "user-of-it")


if __name__ == "__main__":
    unittest.main()
