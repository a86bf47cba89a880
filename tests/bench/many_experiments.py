#!/usr/bin/env python3
"""Lists many experiments with filters on a server of its own; prints how long a page takes: median [least, most].

    PYTHONPATH=client/python GRADELINE_BIN=$PWD/build/release/bin tests/bench/many_experiments.py [EXPERIMENTS]
"""

import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
from server import Server  # noqa: E402

ROUNDS = 30
LISTS = {
    "first page of 100": {"page_size": 100},
    "label, 100 of a tenth": {"page_size": 100, "filter": "labels.team=t3"},
    "state and label, newest first": {"page_size": 100, "filter": "state=DRAFT AND labels.team=t3", "order_by": "create_time desc"},
    "name begins with": {"page_size": 100, "filter": "name=many-077*"},
    "nothing fits": {"page_size": 100, "filter": "labels.team=nobody"},
    "page of 1,000": {"page_size": 1000, "filter": "labels.team=t3"},
}


def main() -> None:
    server = Server()
    try:
        measure(server, int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
    finally:
        server.close()


def measure(server: Server, count: int) -> None:
    draft = server.client.call("GetExperiment", name=server.draft())
    begin = time.monotonic()
    for number in range(count):
        experiment = {
            "name": f"experiments/many-{number:05d}",
            "split": draft.split,
            "architecture": draft.architecture,
            "labels": {"team": f"t{number % 10}"},
        }
        server.client.call("CreateExperiment", experiment=experiment)
    print(f"{count} experiments made in {time.monotonic() - begin:.1f} s")
    for what, request in LISTS.items():
        times = []
        for _ in range(ROUNDS):
            begin = time.monotonic()
            found = len(server.client.call("ListExperiments", **request).experiments)
            times.append(1000 * (time.monotonic() - begin))
        print(f"{what}: {found} found, {statistics.median(times):.1f} ms [{min(times):.1f}, {max(times):.1f}]")


if __name__ == "__main__":
    main()
