"""The demo, whole, on a few made-up images: it succeeds, and the same seed gives the same bits."""

import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import unittest

from blocks import make_images
from gradeline import wire
from server import BIN, Server


def setUpModule() -> None:
    global server, folder
    server = Server()
    folder = tempfile.TemporaryDirectory()
    make_images(pathlib.Path(folder.name))


def tearDownModule() -> None:
    server.close()
    folder.cleanup()


class DemoTest(unittest.TestCase):
    def command(self, *options: str) -> list:
        demo = [sys.executable, "-m", "gradeline.demo", "--server", server.address, "--cli", str(BIN / "gradeline")]
        return demo + ["--data", folder.name, "--dataset", "blocks", "--batch-size", "20", *options]

    def run_demo(self, *options: str) -> tuple:
        done = subprocess.run(self.command(*options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=200)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 1, done.stderr.decode())
        return done.returncode, json.loads(lines[0]), done.stderr.decode()

    def test_the_same_seed_gives_the_same_bits(self) -> None:
        first, second = (self.run_demo("--epochs", "2", "--accuracy", "0.5") for _ in range(2))
        for code, found, progress in (first, second):
            self.assertEqual(code, 0, progress)
            self.assertEqual((found["state"], found["seals"], found["sealsComplete"]), ("SUCCEEDED", 5, True))
            self.assertEqual((found["ranks"], found["ranksJoined"], found["refused"]), (2, 2, 0))
            # 140 training images per rank in batches of 20; 20 and 40 images per rank in one batch each.
            self.assertEqual(found["batches"], 2 * (2 * 7 + 2) + 2)
            self.assertIn("validation  loss", progress)
        self.describe(first[1]["experiment"], found["testAccuracy"])
        self.assertNotEqual(first[1]["experiment"], second[1]["experiment"])
        for key in ("lossBits", "trainLoss", "validationLoss", "validationAccuracy", "testLoss", "testAccuracy"):
            self.assertEqual(first[1][key], second[1][key])
        self.assertNotEqual(first[1]["lossBits"], self.run_demo("--epochs", "2", "--seed", "2")[1]["lossBits"])

    def describe(self, experiment: str, accuracy: float) -> None:
        """What a person sees of the newest epoch: accuracy, F-score per class, the confusion matrix by names."""
        words = [str(BIN / "gradeline"), "--server", server.address, "describe", "epoch", experiment.split("/")[1]]
        shown = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=True).stdout.decode()
        self.assertIn(f"test  accuracy  {accuracy:.6g}", shown)
        scores = re.search(r"test  f_score  \S+ .*\nCLASS .*\n((?:.+\n){2,})", shown)
        self.assertIsNotNone(scores, shown)
        names = [line.split()[0] for line in scores[1].splitlines() if line]
        matrix = re.search(r"test  confusion_matrix .*\nRIGHT \\ PREDICTED +(.*)\n((?:.+\n?)+)", shown)
        self.assertIsNotNone(matrix, shown)
        self.assertEqual(set(names) - set(matrix[1].split()), set())
        cells = [list(map(int, line.split()[-len(matrix[1].split()) :])) for line in matrix[2].splitlines()]
        self.assertEqual(sum(map(sum, cells)), 80)  # every test image of both ranks, once
        self.assertAlmostEqual(sum(row[i] for i, row in enumerate(cells)) / 80, accuracy)
        one = subprocess.run([*words, "--epoch", "0", "--phase", "train"], stdout=subprocess.PIPE, timeout=60, check=True)
        self.assertIn(b"train  accuracy", one.stdout)
        self.assertNotIn(b"validation", one.stdout)

    def test_what_has_not_learned_does_not_pass(self) -> None:
        code, found, progress = self.run_demo("--epochs", "1", "--learning-rate", "1e-9", "--accuracy", "0.9")
        self.assertEqual((code, found["state"]), (1, "SUCCEEDED"))
        self.assertIn("not learned: validation accuracy is", progress)

    def test_an_interrupt_cancels_the_experiment(self) -> None:
        process = subprocess.Popen(self.command("--epochs", "1000"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            said = b""
            while b"epoch 1/1000 train       loss" not in said:
                line = process.stderr.readline()
                self.assertTrue(line, said.decode())
                said += line
            process.send_signal(signal.SIGINT)
            out, rest = process.communicate(timeout=60)
        finally:
            process.kill()
            process.wait()
        self.assertEqual((process.returncode, out), (130, b""), (said + rest).decode())
        name = re.search(r"experiments/\S+", said.decode())[0]
        self.assertEqual(wire.word(wire.STATES, server.client.experiment(name).state), "CANCELLED")


if __name__ == "__main__":
    unittest.main()
