#!/usr/bin/env python3
"""Packs the wire's definitions into gradeline/proto/gradeline.binpb, which the package reads at run time.

Needs protoc and nothing else. Runs from setup.py and from the build; does nothing when the file is newer than its
sources.
"""

import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
PROTO = HERE.parent.parent / "proto"
TARGET = HERE / "gradeline" / "proto" / "gradeline.binpb"


def generate(target: pathlib.Path = TARGET) -> pathlib.Path:
    """Writes the descriptor set if a source is newer, and returns its path."""
    sources = sorted(PROTO.glob("gradeline/v1/*.proto")) + sorted(PROTO.glob("google/rpc/*.proto"))
    if not sources:
        if target.exists():  # an unpacked source distribution brings the packed file only
            return target
        raise SystemExit(f"no .proto files under {PROTO}")
    if target.exists() and target.stat().st_mtime >= max(source.stat().st_mtime for source in sources):
        target.touch()  # builds compare its age with this script's too
        return target
    protoc = shutil.which("protoc")
    if protoc is None:
        raise SystemExit("protoc not found: install the Debian package protobuf-compiler")
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_suffix(".tmp")
    command = [protoc, f"-I{PROTO}", "--include_imports", f"--descriptor_set_out={fresh}", *map(str, sources)]
    subprocess.run(command, check=True)
    fresh.replace(target)
    return target


if __name__ == "__main__":
    print(generate(), file=sys.stderr)
