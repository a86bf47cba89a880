"""docs/api.md says what the protos say."""

import pathlib
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class ApiPage(unittest.TestCase):
    def test_the_page_is_what_the_protos_give(self):
        printed = subprocess.run([ROOT / "scripts/api_page"], capture_output=True, text=True, check=True).stdout
        page = (ROOT / "docs/api.md").read_text()
        stale = [f"{at}: {line}" for at, line in enumerate(printed.splitlines(), 1) if line not in page.splitlines()]
        self.assertEqual(page == printed, True, "docs/api.md is stale, run scripts/api_page > docs/api.md:\n" + "\n".join(stale[:20]))

    def test_every_method_of_the_protos_is_there(self):
        page = (ROOT / "docs/api.md").read_text()
        methods = 0
        for proto in (ROOT / "proto/gradeline/v1").glob("*.proto"):
            for line in proto.read_text().splitlines():
                words = line.split()
                if words[:1] == ["rpc"]:
                    methods += 1
                    self.assertIn(f"| `{words[1].split('(')[0]}` |", page)
        self.assertGreater(methods, 20)


if __name__ == "__main__":
    unittest.main()
