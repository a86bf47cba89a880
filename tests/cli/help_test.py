"""The examples of the help texts, run as they stand against a real server."""

import pathlib
import re
import shlex
import tempfile
import unittest

import idx
from gradeline_cli import Server, gradeline

PIXELS = "/usr/share/datasets/fashion-mnist"


def examples(*words):
    """The commands of a help text, without `gradeline`, joined where a backslash ends a line."""
    text = re.sub(r"\\\n\s*", "", gradeline(*words, "--help").out)
    return [shlex.split(line)[1:] for line in re.findall(r"^(?:Example: |\s+)(gradeline .*)$", text, re.MULTILINE)]


class ExamplesTest(unittest.TestCase):
    def test_every_resource_of_the_examples_can_be_made(self):
        server = Server()
        self.addCleanup(server.close)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for prefix in ("train", "t10k"):
            idx.write(pathlib.Path(folder.name), prefix, [i % 10 for i in range(50)])
        made = []
        for command in examples() + examples("create", "experiment"):
            if command[0] not in ("import", "create"):
                continue
            if command[:2] in made:  # a second experiment of the same name
                command[2] += "-again"
            made.append(command[:2])
            done = server(*[folder.name if word == PIXELS else word for word in command])
            self.assertEqual(done.code, 0, (command, done))
        self.assertEqual(
            made, [["import", "dataset"], ["create", "split"], ["create", "experiment"], ["create", "experiment"]]
        )

    def test_the_database_is_backed_up_checked_and_restored(self):
        server = Server()
        self.addCleanup(server.close)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        here = {"gradeline.backup": f"{folder.name}/gradeline.backup", "var/gradeline.db": f"{folder.name}/gradeline.db"}
        done = []
        for verb in ("backup", "check", "restore"):
            for command in examples("db", verb):
                run = server(*[here.get(word, word) for word in command])
                self.assertEqual(run.code, 0, (command, run))
                done.append(command[1])
        self.assertEqual(done, ["backup", "check", "restore"])


if __name__ == "__main__":
    unittest.main()
