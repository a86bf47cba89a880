"""Every package that scripts/setup installs has its reason in docs/dependencies.md, and nothing there is left over."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Dependencies(unittest.TestCase):
    def test_list_and_reasons_agree(self):
        installed = {line for line in (ROOT / "scripts/packages.txt").read_text().splitlines() if line and line[0] != "#"}
        table = (ROOT / "docs/dependencies.md").read_text()
        documented = set(re.findall(r"`([a-z0-9+.-]+)`", "\n".join(
            line.split("|")[1] for line in table.splitlines() if line.startswith("| `"))))
        self.assertGreater(len(installed), 20)
        self.assertEqual(installed - documented, set(), "without a reason in docs/dependencies.md")
        self.assertEqual({name for name in documented if not name.startswith("npm:")} - installed - {"buf"}, set(),
                         "documented but not installed")


if __name__ == "__main__":
    unittest.main()
