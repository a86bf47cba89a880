#!/usr/bin/python3
"""Compares every built-in loss with PyTorch and with what the machine could do, in turns within one run (docs/benchmarks.md).

  tests/bench/losses.py --out docs          all of it, in under half an hour; writes the JSON, the table, the plot
  tests/bench/losses.py --only '^dice'      what matches NAME/SIZE; with --out only those rows are replaced
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import random
import re
import subprocess
import sys
import tempfile
import time

import torch

import loss_report
from loss_peers import PEERS
from loss_sides import Child, Torch
from loss_statistics import median_interval

ROOT = pathlib.Path(__file__).resolve().parents[2]
THREADS = 2
FUSED = "cross_entropy/rows-1000"  # whose finite check is measured, of the losses that look themselves


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=ROOT / "build/release/bin/loss_bench")
    parser.add_argument("--only", default="", metavar="REGEX", help="rows whose NAME/SIZE it finds")
    parser.add_argument("--rounds", type=int, default=20, help="rounds of each row that must count")
    parser.add_argument("--slice", type=float, default=0.06, help="least seconds of one side in one round")
    parser.add_argument("--drift", type=float, default=0.15, help="rounds in which the probe moves by more are dropped")
    parser.add_argument("--row-seconds", type=float, default=15, help="a row stops here if it has 5 rounds, at three times as much if not")
    parser.add_argument("--quick", action="store_true", help="5 rounds of short slices: a look, not a result")
    parser.add_argument("--out", type=pathlib.Path, help="folder of benchmarks.md; without it the table is only printed")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.slice, options.row_seconds = 5, 0.02, 4
    return options


def warm_calls(timer, slice_seconds):
    """After a warm-up: how many calls in how many repetitions take a slice."""
    timer(1, 1)
    seconds = timer(1, 1)["seconds"]
    if seconds <= 0:
        raise LookupError("a call took no time")
    calls = max(1, round(slice_seconds / seconds))
    return (max(1, calls // 3), 3) if calls >= 3 else (calls, 1)


def run_rounds(options, probe, sides):
    """Rounds of {side: measurement}, the probe's before and after in "probe"; and how many were dropped."""
    plans = {name: warm_calls(timer, options.slice) for name, timer in {**sides, "probe": probe}.items()}
    kept, dropped, start = [], 0, time.monotonic()
    before = probe(*plans["probe"])["seconds"]
    while len(kept) < options.rounds and dropped < 2 * options.rounds:
        spent = time.monotonic() - start
        if spent > options.row_seconds and (len(kept) >= 5 or spent > 3 * options.row_seconds):
            break
        measured = {}
        for name in random.sample(sorted(sides), len(sides)):
            measured[name] = sides[name](*plans[name])
        after = probe(*plans["probe"])["seconds"]
        if abs(after - before) <= options.drift * min(after, before):
            measured["probe"] = {"seconds": (before + after) / 2}
            kept.append(measured)
        else:
            dropped += 1
        before = after
    return kept, dropped


def measure_row(options, child, case, size, folder):
    key = case["loss"] + (":" + case["params"] if case["params"] else "")
    opened = child.ask("open", case["name"], size, folder)
    compares = bool(case["limit"])  # else how it scales, or the host
    checked = None  # what the difference to "unchecked" is called
    sides = {"gradient": child.timer("gradient")}
    row = {"name": case["name"], "size": size, "limit": case["limit"], "limit_goal": case["limit_goal"],
           "peer_goal": case["peer_goal"], "date": datetime.date.today().isoformat()}
    elements = 1
    for length in opened["tensors"][0]["shape"]:
        elements *= length
    row["elements"], row["items"] = elements, opened["tensors"][0]["shape"][0]
    if compares:
        sides["evaluate"] = child.timer("evaluate")
        if size == "1GiB":
            sides["exp"] = child.timer("exp")
        checked = "host_check" if case["host_checks"] else "fused_check" if case["name"] == FUSED else None
        if size == "1GiB" and checked:
            sides["unchecked"] = child.timer("unchecked")
        if size == "1GiB" and case["loss"] == "mse":
            for side in ("read", "read_in_order"):
                sides[side] = child.timer(side)
    if compares and key in PEERS:
        sides["eager"] = peer = Torch(key, opened)
        row["loss_difference"], row["gradient_difference"] = peer.difference(opened)
        if hasattr(torch, "compile"):
            sides["compiled"] = peer.compiled()
    (had, used), own = processor_seconds(), own_seconds(child)
    rounds, row["dropped"] = run_rounds(options, child.timer(case["limit"] or "copy"), sides)
    (had_then, used_then), own_then = processor_seconds(), own_seconds(child)
    row["others"] = max(0.0, (used_then - used - own_then + own) / max(had_then - had, 0.01))
    row["rounds"] = len(rounds)
    if not rounds:
        raise LookupError("every round was dropped: the machine is too busy")
    for name in [*sides, "probe"]:
        row[name] = {field: median_interval([measured[name][field] for measured in rounds])[0]
                     for field in rounds[0][name]}
    ratios = {"limit_ratio": ("probe", "gradient"), "eager_ratio": ("eager", "gradient"),
              "compiled_ratio": ("compiled", "gradient"), "exp_ratio": ("exp", "gradient"), "fixed_order": ("read", "read_in_order")}
    if checked:
        ratios[checked] = ("unchecked", "gradient")
    for ratio, (side, to) in ratios.items():
        if side in rounds[0] and (case["limit"] or ratio != "limit_ratio"):
            row[ratio] = median_interval([m[side]["seconds"] / m[to]["seconds"] for m in rounds])
    return row


def processor_seconds():
    """(all that was to be had, all that was used) since the start of the machine, by whomever."""
    ticks = list(map(int, open("/proc/stat").readline().split()[1:9]))
    return sum(ticks) / os.sysconf("SC_CLK_TCK"), (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def own_seconds(child):
    fields = open(f"/proc/{child.process.pid}/stat").read().rsplit(")", 1)[1].split()
    return time.process_time() + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "")
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout
    return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release(), "torch": torch.__version__,
            "threads": THREADS, "commit": commit.strip()}


def measure_all(options, child, cases, rows):
    started = time.monotonic()
    for case in cases:
        if not case["built"]:
            print(f"skipped: there is no loss {case['loss']}", file=sys.stderr)
            continue
        for size in case["sizes"].split():
            name = f"{case['name']}/{size}"
            if not re.search(options.only, name):
                continue
            try:
                with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
                    rows.append(measure_row(options, child, case, size, folder))
                print(f"{time.monotonic() - started:6.0f} s  {loss_report.line(rows[-1])}", file=sys.stderr)
            except LookupError as refusal:
                print(f"skipped: {name}: {refusal}", file=sys.stderr)


def main():
    options = parse()
    torch.set_num_threads(THREADS)
    random.seed(1)
    listed = subprocess.run([options.program, "--list"], check=True, capture_output=True, text=True).stdout
    child, rows, partial = Child(options.program), [], bool(options.only)
    try:
        measure_all(options, child, map(json.loads, listed.splitlines()), rows)
    except KeyboardInterrupt:
        partial = True  # what there is replaces only its own rows
    child.close()
    result = {"command": " ".join(["tests/bench/losses.py", *sys.argv[1:]]), "machine": machine(), "rows": rows}
    if options.out:
        loss_report.write(result, options.out, partial)
    else:
        print(loss_report.tables(result))


if __name__ == "__main__":
    main()
