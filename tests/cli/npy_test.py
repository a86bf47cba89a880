"""Files of NumPy through the real reader and writer: mse with target 0 and reduction sum gives back what was read."""

import pathlib
import random
import tempfile
import unittest

import numpy as np

from gradeline_cli import Server


class NpyTest(unittest.TestCase):
    def test_random_round_trips(self):
        seed = random.SystemRandom().randrange(2**32)
        print(f"seed {seed}")
        generator = np.random.default_rng(seed)
        server = Server()
        self.addCleanup(server.close)
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            for number in range(40):
                shape = tuple(int(n) for n in generator.integers(1, 5, size=generator.integers(1, 5)))
                dtype = (np.float16, np.float32, np.float64)[number % 3]
                array = (generator.integers(-64, 64, shape) / 8).astype(dtype)
                version = (1 + number % 3, 0)
                with open(folder / "p.npy", "wb") as file:
                    np.lib.format.write_array(file, array, version=version)
                np.save(folder / "t.npy", array * 0)
                run = server("eval", "loss", "mse", "--input", f"prediction={folder / 'p.npy'}", "--input", f"target={folder / 't.npy'}",
                             "--reduction", "sum", "--gradient", f"prediction={folder / 'g.npy'}", "--items", folder / "i.npy")
                self.assertEqual(run.code, 0, run)
                gradient, items = np.load(folder / "g.npy"), np.load(folder / "i.npy")
                self.assertEqual((gradient.dtype, items.dtype), (dtype, np.float64))
                np.testing.assert_array_equal(gradient, array * 2)
                np.testing.assert_array_equal(items, array.astype(np.float64) ** 2)


if __name__ == "__main__":
    unittest.main()
