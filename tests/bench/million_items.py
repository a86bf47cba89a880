#!/usr/bin/env python3
"""Imports, splits and lists a dataset of many items on a server of its own; prints times and the server's memory.

    GRADELINE_SOURCE=$PWD GRADELINE_BIN=$PWD/build/release/bin tests/bench/million_items.py [ITEMS]
"""

import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cli"))
from gradeline_cli import Server  # noqa: E402

CLASSES, GROUP = 80, 8


def write_items(path, items):
    """A CSV of items with one to four of 80 classes, in groups of eight."""
    generator = random.Random(1)
    with open(path, "w") as file:
        file.write("path,labels,group,tags,subset\n")
        for number in range(items):
            labels = sorted({min(int(generator.expovariate(0.08)), CLASSES - 1) for _ in range(generator.randint(1, 4))})
            words = ";".join(f"class{label:02d}" for label in labels)
            file.write(f"images/{number:09d}.jpg,{words},scene{number // GROUP},{'night' if number % 7 == 0 else ''},\n")


def memory_mib(server, field):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith(field)).split()[1]) / 1024


def main():
    items = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    server = Server()

    def timed(what, *words):
        begin = time.monotonic()
        run = server(*words, "-o", "json", timeout=3600)
        seconds = time.monotonic() - begin
        if run.code != 0:
            sys.exit(f"{what}: {run}")
        print(f"{what:24s} {seconds:7.2f} s   server: peak {memory_mib(server, 'VmHWM'):6.0f} MiB", flush=True)
        return run.json

    try:
        path = server.path / "items.csv"
        write_items(path, items)
        print(f"{items} items, {path.stat().st_size / 2**20:.0f} MiB of CSV; idle server: {memory_mib(server, 'VmHWM'):.0f} MiB")
        timed("import", "import", "dataset", "many", "--format", "csv", "--from", path)
        for strategy in ("random", "stratified", "group"):
            split = timed(f"split {strategy}", "create", "split", strategy, "--dataset", "many", "--task", "tagging",
                          "--strategy", strategy)
            counts = [int(split[f"{part}Count"]) for part in ("train", "validation", "test")]
            assert sum(counts) == items, counts
        listed = timed("list the train part", "get", "items", "--split", "stratified", "--part", "train")
        assert len(listed["items"]) == round(items * 0.7), len(listed["items"])
    finally:
        server.close()


if __name__ == "__main__":
    main()
