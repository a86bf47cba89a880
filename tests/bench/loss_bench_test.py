"""loss_bench still measures: every built loss at its smallest size, every side, gives figures. What they are is not asserted."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM = sys.argv.pop()


class LossBench(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        lines = subprocess.run([PROGRAM, "--list"], check=True, capture_output=True, text=True).stdout.splitlines()
        cls.cases = [json.loads(line) for line in lines]

    def ask(self, child, *words):
        child.stdin.write("\t".join(map(str, words)) + "\n")
        child.stdin.flush()
        return json.loads(child.stdout.readline())

    def test_every_built_loss_gives_figures(self):
        built = {case["loss"]: case for case in reversed(self.cases) if case["built"]}  # its first case
        self.assertLessEqual({"mse", "cross_entropy", "binary_cross_entropy"}, set(built))
        with tempfile.TemporaryDirectory() as folder, subprocess.Popen(
                [PROGRAM, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
            for loss, case in built.items():
                with self.subTest(loss):
                    opened = self.ask(child, "open", case["name"], case["sizes"].split()[0], folder)
                    self.assertNotIn("error", opened)
                    prediction = opened["tensors"][0]
                    elements = 1
                    for size in prediction["shape"]:
                        elements *= size
                    self.assertEqual(os.path.getsize(prediction["file"]), 4 * elements)
                    self.assertEqual(os.path.getsize(opened["gradient"]), 4 * elements)
                    sides = ["gradient", "evaluate", "unchecked", "copy", "triad", "read", "read_in_order", "exp", "sort"]
                    for side in sides:
                        timed = self.ask(child, "time", side, 2, 2)
                        self.assertGreater(timed.get("seconds", 0), 0, (side, timed))
                        self.assertLess(timed["seconds"], 60, side)
            self.assertIn("no case", self.ask(child, "open", "nonsense", "L2", folder)["error"])
            self.assertIn("allowed: gradient", self.ask(child, "time", "nonsense", 1, 1)["error"])
            child.stdin.close()
            self.assertEqual(child.wait(), 0)

    def test_runs_by_itself(self):
        answer = subprocess.run([PROGRAM, "--benchmark_filter=^mse/values/N=4/", "--benchmark_min_time=0.001",
                                 "--benchmark_format=json"], check=True, capture_output=True, text=True)
        figures = json.loads(answer.stdout)["benchmarks"]
        self.assertEqual(len(figures), 2, "with gradient and without")
        for figure in figures:
            self.assertGreater(figure["real_time"], 0)
            self.assertNotIn("error_occurred", figure)

    def test_the_comparison_with_pytorch_runs(self):
        here = pathlib.Path(__file__).resolve().parent
        with tempfile.TemporaryDirectory() as folder:
            page = pathlib.Path(folder, "benchmarks.md")
            page.write_text((here.parents[1] / "docs/benchmarks.md").read_text())
            subprocess.run([here / "losses.py", "--program", PROGRAM, "--only", "^(mse/values/L2|mse/.*/N=4|cross_entropy/rows-10/L2)$",
                            "--rounds", "1", "--slice", "0.001", "--drift", "inf", "--out", folder],
                           check=True, capture_output=True, text=True)
            rows = json.loads(pathlib.Path(folder, "losses_benchmark.json").read_text())["rows"]
            self.assertEqual({row["rounds"] for row in rows}, {1})
            new = {row["name"]: row for row in rows if row["size"] == "L2"}
            for name in ("mse/values", "cross_entropy/rows-10"):
                self.assertLess(new[name]["loss_difference"], 1e-5, "PyTorch computes the same loss")
                self.assertLess(new[name]["gradient_difference"], 1e-5, "and gradient")
                self.assertGreater(new[name]["eager_ratio"][0], 0)
                self.assertIn(f"| `{name}` | L2 |", page.read_text())
            self.assertIn("The host, a batch of four items", page.read_text())


if __name__ == "__main__":
    unittest.main()
