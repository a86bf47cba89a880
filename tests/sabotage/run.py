"""Tries every deliberate defect on a copy of the tree and shows whether its test turns red. By hand, it takes a while:

    python3 tests/sabotage/run.py [NAME ...]        names or parts of them; none: all

Prints a table; the exit code is the number of defects that no test noticed.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

from defects import DEFECTS, Defect

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def run(command: list, folder: pathlib.Path) -> subprocess.CompletedProcess:
    environment = {**os.environ, "CCACHE_BASEDIR": str(folder), "CCACHE_NOHASHDIR": "1"}
    return subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def build(folder: pathlib.Path, test: str) -> subprocess.CompletedProcess:
    return run(["cmake", "--build", "--preset", "release", "--target", test], folder)


def passes(folder: pathlib.Path, defect: Defect) -> bool:
    program = folder / "build" / "release" / "bin" / defect.test
    try:
        command = ["timeout", "300", str(program), f"--gtest_filter={defect.filter}", "--gtest_fail_fast"]
        return run(command, folder).returncode == 0
    except OSError as error:
        raise SystemExit(f"{program}: {error}") from None


def verdict(folder: pathlib.Path, defect: Defect) -> str:
    path = folder / defect.file
    whole = path.read_text()
    if whole.count(defect.old) != 1:
        return f"stale: its place is {whole.count(defect.old)} times in {defect.file}"
    path.write_text(whole.replace(defect.old, defect.new))
    try:
        built = build(folder, defect.test)
        if built.returncode != 0:
            return "does not build: " + built.stdout.decode(errors="replace")[-300:]
        return "MISSED" if passes(folder, defect) else "red"
    finally:
        path.write_text(whole)


def main() -> int:
    words = sys.argv[1:]
    chosen = [defect for defect in DEFECTS if not words or any(word in defect.name for word in words)]
    missed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name) / "tree"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
        run(["cmake", "--preset", "release"], folder)
        for test in sorted({defect.test for defect in chosen}):
            built = build(folder, test)
            if built.returncode != 0:
                raise SystemExit(built.stdout.decode(errors="replace")[-2000:])
        for good in {(defect.test, defect.filter): defect for defect in chosen}.values():
            if not passes(folder, good):
                raise SystemExit(f"{good.test} {good.filter} fails without any defect")
        print("| defect | test | seen |\n|---|---|---|", flush=True)
        for defect in chosen:
            seen = verdict(folder, defect)
            missed += seen != "red"
            print(f"| {defect.name} | `{defect.test} {defect.filter}` | {seen} |", flush=True)
    return missed


if __name__ == "__main__":
    sys.exit(main())
