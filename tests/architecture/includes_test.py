"""Enforces which room may include which: every #include of ours against a short table of allowed arrows."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)

CORE = ["server/core/base", "server/core/tensor", "server/core/loss", "server/core/metric", "server/core/engine",
        "server/core/experiment"]
ABI = "plugins/sdk/loss_abi.h"
PROTO = ["gradeline/v1", "gradeline/config/v1", "google/rpc"]

# Room -> what it may include besides itself: rooms, single headers. The longest matching room counts.
ALLOWED = {
    "server/core/base": [],
    "server/core/tensor": ["server/core/base"],
    "server/core/loss": ["server/core/base", "server/core/tensor", ABI],
    "server/core/metric": ["server/core/base", "server/core/tensor", "server/core/loss"],
    "server/core/engine": ["server/core/base", "server/core/tensor", "server/core/loss", ABI],
    "server/core/experiment": CORE,
    "server/plugin_host": CORE + [ABI, "plugins/losses/builtin.h"],
    "server/store": CORE,
    "server/observe": ["server/core/base"],
    "server/wire": CORE + PROTO,
    "server/rpc": CORE + PROTO + ["server/wire", "server/observe"],
    "server/gateway": CORE + ["server/wire", "server/observe"],
    "server": ["server"] + PROTO,  # main.cc and the clock: the only ones that know all
    "plugins/sdk": [],
    "plugins/simd": ["plugins/sdk"],
    "plugins/losses": ["plugins/sdk", "plugins/simd"],
    "plugins/example": ["plugins/sdk"],  # found where the SDK is installed
    "client/cpp": PROTO,
    "client/cli": ["client/cpp"] + PROTO,
    "tests": ["server", "plugins", "client", "tests"] + PROTO,
}
# Tests beside the code (x_test.cc and the test_x.h they share) may also use the real losses, the SDK and all of the core.
TEST_EXTRA = CORE + ["plugins/losses/builtin.h", "plugins/sdk"]

# Libraries that belong to certain rooms alone.
OWNED = {
    r"^(grpc|grpcpp)/": ["server/rpc", "client", "tests"],
    r"^(tbb|oneapi)/": ["server/core/engine", "tests/bench"],
    r"^dlfcn\.h$": ["server/plugin_host", "tests/abi"],
    r"^sqlite3\.h$": ["server/store/sqlite", "tests"],
    r"^libpq-fe\.h$": ["server/store/postgres"],
    r"^boost/": ["server/gateway", "client/cli", "server/core/metric", "tests"],  # in metric whole numbers of any size alone
    r"^yaml-cpp/": ["server/wire", "client/cli"],
    r"^prometheus/": ["server/observe", "server/gateway", "tests"],
    r"^google/protobuf/": ["server/wire", "server/rpc", "server/gateway", "client", "tests", "server/store"],
    r"^openssl/": ["server/core/base", "server/wire", "server/plugin_host", "client/cli", "tests"],
    r"^CLI/": ["client/cli"],
    r"^spdlog/": ["server/observe"],
    # The core has no files and no clock of its own; a test reads golden values.
    r"^(fstream|filesystem|chrono)$": ["server/plugin_host", "server/store", "server/wire", "server/rpc", "server/gateway",
                                       "server/observe", "server/system_clock.cc", "server/gradelined.cc", "plugins", "client", "tests",
                                       "server/core/experiment/schedule_test.cc", "server/core/metric/golden_test.cc",
                                       "server/core/metric/metrics_page_test.cc"],
}


def room_of(path):
    return max((room for room in ALLOWED if path.startswith(room + "/")), key=len)


def is_test(path):
    name = path.rsplit("/", 1)[-1]
    return name.endswith("_test.cc") or name.startswith("test_")


def below(path, folders):
    return any(path == folder or path.startswith(folder + "/") for folder in folders)


def wrong_includes(path, text):
    """The includes of a file that the tables do not allow, as messages."""
    room = room_of(path)
    allowed = [room] + ALLOWED[room] + (TEST_EXTRA if is_test(path) else [])
    wrong = []
    for bracket, name in INCLUDE.findall(text):
        if name.startswith(("server/", "plugins/", "client/", "tests/", "gradeline/v1/", "gradeline/config/", "google/rpc/")):
            if not below(name, allowed):
                wrong.append(f'{path}: may not include "{name}"; {room} may include {allowed}')
        elif bracket == '"' and (ROOT / path).parent.joinpath(name).exists() and not path.startswith("tests/abi/frozen/"):
            wrong.append(f'{path}: "{name}" is relative; names begin at the project\'s folder')
        for library, rooms in OWNED.items():
            if re.search(library, name) and not below(path, rooms):
                wrong.append(f"{path}: <{name}> belongs to {rooms}")
    return wrong


class Includes(unittest.TestCase):
    def test_every_include_follows_the_arrows(self):
        files = [path for folder in ("server", "plugins", "client", "tests") for suffix in ("*.h", "*.cc", "*.c")
                 for path in (ROOT / folder).rglob(suffix)]
        self.assertGreater(len(files), 50)
        wrong = [message for path in files
                 for message in wrong_includes(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))]
        self.assertEqual(wrong, [], "\n" + "\n".join(wrong))

    def test_a_wrong_arrow_is_found(self):
        for path, line in [("server/core/loss/x.cc", '#include "server/core/engine/engine.h"'),
                           ("server/core/base/x.cc", '#include "gradeline/v1/tensor.pb.h"'),
                           ("server/rpc/x.cc", '#include "server/gateway/http.h"'),
                           ("server/wire/x.cc", "#include <grpcpp/grpcpp.h>"),
                           ("plugins/losses/mse/mse.cc", '#include "server/core/base/status.h"'),
                           ("client/cpp/x.cc", '#include "server/wire/status.h"'),
                           ("server/core/base/x.cc", '#include "../../wire/status.h"'),
                           ("server/core/base/x.cc", '#include "ids.h"'),
                           ("server/core/base/x.cc", "#include <fstream>"),
                           ("server/store/sqlite/x.cc", "#include <tbb/task_arena.h>")]:
            self.assertEqual(len(wrong_includes(path, line + "\n")), 1, path)


if __name__ == "__main__":
    unittest.main()
