"""Packs the wire's definitions before setuptools collects the package; pyproject.toml says the rest."""

from setuptools import setup
from setuptools.command.build_py import build_py

import sys

sys.path.insert(0, ".")
from generate import generate  # noqa: E402


class BuildWithWire(build_py):
    def run(self) -> None:
        generate()
        super().run()


setup(cmdclass={"build_py": BuildWithWire})
