"""The whole path from the shell, with what a person types: data, split, what is offered, experiment, workers, curves."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
from typing import Any

import painted
from server import BIN, Server

FASHION = "/usr/share/datasets/fashion-mnist"


def setUpModule() -> None:
    global server, folder, scratch
    server = Server()
    scratch = tempfile.TemporaryDirectory()
    folder = pathlib.Path(scratch.name)


def tearDownModule() -> None:
    server.close()
    scratch.cleanup()


class ShellTest(unittest.TestCase):
    def run_cli(self, line: str, code: int = 0) -> subprocess.CompletedProcess:
        words = [str(BIN / "gradeline"), "--server", server.address, *line.split()]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, code, f"{line}\n{done.stdout}{done.stderr}")
        return done

    def json(self, line: str) -> Any:
        return json.loads(self.run_cli(line + " -o json").stdout)

    def train(self, name: str, *command: str) -> None:
        """Starts the experiment from the shell, runs its one worker with the token that this prints, and waits."""
        token = self.json(f"start experiment {name}")["attemptToken"]
        own = {
            "GRADELINE_SERVER": server.address,
            "GRADELINE_EXPERIMENT": name,
            "GRADELINE_TOKEN": token,
            **{"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0", "GLOO_SOCKET_IFNAME": "lo"},
        }
        done = subprocess.run(
            [sys.executable, *command],
            env={**os.environ, **own},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.run_cli(f"wait experiment {name} --for succeeded --timeout 10s")

    def values(self, name: str, phase: str, metric: str = "") -> list:
        epochs = [epoch for epoch in self.json(f"get epochs --experiment {name}")["epochs"] if epoch["phase"] == f"PHASE_{phase}"]
        return [epoch["metrics"][0]["value"] if metric else epoch["loss"] for epoch in epochs]

    def test_fashion_mnist(self) -> None:
        self.run_cli(f"import dataset fashion --format idx --from {FASHION}")
        split = "create split few --dataset fashion --task classification --strategy stratified --seed 3"
        preview = self.json(f"{split} --dry-run")
        made = self.json(split)
        self.assertEqual(preview["fingerprint"], made["fingerprint"])
        self.assertEqual((made["trainCount"], made["validationCount"], made["testCount"]), ("49000", "7000", "14000"))
        offered = self.json("get losses --task classification --architecture small-cnn --head classification")
        self.assertIn("losses/cross_entropy", [offer["loss"]["name"] for offer in offered["losses"]])
        rates = self.json("preview schedule step_lr --param step_size=1 --param gamma=0.5 --learning-rate 0.01 --epochs 3")
        create = (
            "create experiment first --split few --architecture small-cnn --loss classification=cross_entropy"
            " --param classification.label_smoothing=0.1 --metric accuracy --set training.epochs=2"
            " --set training.iterations=40 --set training.batch_size=64 --set training.solver=adamw"
            " --set training.learning_rate=0.01 --set training.scheduler=step_lr"
            " --set training.scheduler_parameters.step_size=1 --set training.scheduler_parameters.gamma=0.5"
            " --label team=vision --notes painted"
        )
        wrong = self.run_cli(f"{create} --set training.solver=adamm --set training.epochs=-1 --dry-run", code=6)
        for field in ("training.solver", "training.epochs"):
            self.assertIn(field, wrong.stderr)
        self.run_cli(f"{create} --dry-run")
        self.run_cli("get experiment first", code=3)
        self.run_cli(create)
        self.train("first", "-m", "gradeline.demo.trainer", "--data", FASHION)
        self.assertGreater(self.values("first", "VALIDATION", "accuracy")[-1], 0.6, "a tenth is chance")
        directives = [
            epoch["directive"]["learningRate"]
            for epoch in self.json("get epochs --experiment first")["epochs"]
            if epoch["phase"] == "PHASE_TRAIN"
        ]
        self.assertEqual(directives, [rate["learningRate"] for rate in rates["rates"][1:3]], "as the preview said")
        exported = folder / "first.yaml"
        exported.write_text(self.run_cli("export experiment first").stdout.replace("experiments/first", "experiments/second"))
        self.assertEqual(self.json(f"apply -f {exported}")["training"], self.json("get experiment first")["training"])
        self.assertEqual([e["name"] for e in self.json("get experiments --filter labels.team=vision")["experiments"]],
                         ["experiments/first", "experiments/second"])
        refused = self.run_cli("delete split few", code=5)
        self.assertIn("2 experiments (first, second)", refused.stderr)

    def test_coco(self) -> None:
        file = painted.paint(folder, 400, seed=5)
        self.run_cli(f"import dataset painted --format coco --from {file}")
        dataset = self.json("get dataset painted")
        self.assertEqual((dataset["classes"], dataset["itemCount"]), (list(painted.COLOURS), "400"))
        self.run_cli("create split colours --dataset painted --task tagging --strategy stratified --seed 1")
        self.run_cli(
            "create experiment colours --split colours --architecture resnet-multilabel"
            " --loss classification=focal --param classification.gamma=1 --set training.epochs=12"
            " --set training.solver=adam --set training.learning_rate=0.02 --set training.scheduler=reduce_lr_on_plateau"
            " --set training.scheduler_parameters.patience=1 --set training.seed=2"
        )
        self.train("colours", str(pathlib.Path(__file__).with_name("tagger.py")), str(folder))
        losses = self.values("colours", "VALIDATION")
        self.assertEqual(len(losses), 12)
        self.assertLess(min(losses), 0.5 * losses[0], losses)


if __name__ == "__main__":
    unittest.main()
