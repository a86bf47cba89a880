"""`gradeline eval loss` against PyTorch's golden values and, on fresh random batches, against the definitions in long double."""

import concurrent.futures
import os
import pathlib
import random
import tempfile
import unittest

import numpy as np

import reference
from gradeline_cli import SOURCE, Server

BOUNDS = {np.float64: 1e-12, np.float32: 1e-6}
FRESH_CASES = 500


def setUpModule():
    global server, folder, temporary
    server = Server()
    temporary = tempfile.TemporaryDirectory()
    folder = pathlib.Path(temporary.name)


def tearDownModule():
    server.close()
    temporary.cleanup()


def largest_difference(got, expected, rounding=0):
    """The largest difference, relative to the largest expected magnitude (1 if all are 0); 0 if `rounding` explains it."""
    got, expected = np.asarray(got, np.longdouble), np.asarray(expected, np.longdouble)
    if got.shape != expected.shape:
        return np.inf
    if got.size == 0:
        return 0.0
    scale, largest = np.abs(expected).max() or 1, np.abs(got - expected).max()
    return 0.0 if largest <= rounding else float(largest / scale)


def param_words(params):
    for key, value in params.items():
        text = ",".join(repr(v) for v in value) if isinstance(value, (list, tuple)) else value if isinstance(value, str) else repr(value)
        yield from ("--param", f"{key}={text}")


def evaluate(loss, inputs, params=None, more=(), files="case", with_items=True):
    """Runs eval loss on arrays; gives the run, the gradient and the items' losses (None where not wanted)."""
    words = ["eval", "loss", loss, "-o", "json", *param_words(params or {}), *more]
    for name, array in inputs.items():
        path = folder / f"{files}-{name}.npy"
        np.save(path, np.require(array, requirements="C"))
        words += ["--input", f"{name}={path}"]
    gradient, items = folder / f"{files}-gradient.npy", folder / f"{files}-items.npy"
    run = server(*words, "--gradient", f"prediction={gradient}", *(("--items", items) if with_items else ()))
    if run.code != 0:
        return run, None, None
    return run, np.load(gradient), np.load(items) if with_items else None


def read_golden():
    """Cases of every loss's golden.txt: loss, name, params (as text), inputs, components, results."""
    cases = []
    for path in sorted((SOURCE / "plugins/losses").glob("*/golden.txt")):
        for line in path.read_text().splitlines():
            words = line.split()

            def array(at, kind=np.float64):
                shape = [int(size) for size in words[at].split("x")]
                return np.array([float(v) for v in words[at + 2 :]]).astype(kind).reshape(shape)

            if words[0] == "case":
                cases.append({"loss": path.parent.name, "name": words[1], "params": {}, "inputs": {}, "components": {}})
            elif words[0] == "param":
                cases[-1]["params"][words[1]] = ",".join(words[2:])
            elif words[0] == "input":
                cases[-1]["inputs"][words[1]] = array(3, np.int64 if words[2] == "label" else np.float64)
            elif words[0] == "component":
                cases[-1]["components"][words[1]] = (float(words[2]), float(words[3]))
            elif words[0] == "loss":
                cases[-1]["loss value"] = float(words[1])
            elif words[0] == "items":
                cases[-1]["items"] = array(1)
            elif words[0] == "gradient" and words[1] == "prediction":
                cases[-1]["gradient"] = array(2)
    return cases


class EvalTest(unittest.TestCase):
    def check(self, case, number, dtype, bound):
        """What differs too much, as text; None if nothing does."""
        inputs = {k: v.astype(dtype) if v.dtype.kind == "f" else v for k, v in case["inputs"].items()}
        run, gradient, items = evaluate(case["loss"], inputs, case["params"], case.get("reduction", ()), f"{number}-{dtype.__name__}",
                                        "items" in case)
        if run.code != 0:
            return f"{case['name']}: {run}"
        if gradient.dtype != dtype or (items is not None and items.dtype != np.float64):
            return f"{case['name']}: types {gradient.dtype} {items is not None and items.dtype}"
        if set(run.json["components"]) != set(case["components"]):
            return f"{case['name']}: components {list(run.json['components'])}"
        differences = {
            "loss": largest_difference(run.json["loss"], case["loss value"]),
            "gradient": largest_difference(gradient, case["gradient"], 8 * np.finfo(dtype).eps * case.get("terms", 0)),
            "items": 0.0 if items is None else largest_difference(items, case["items"]),
        }
        for name, (numerator, denominator) in case["components"].items():
            differences[f"{name} numerator"] = largest_difference(run.json["components"][name]["numerator"], numerator)
            differences[f"{name} denominator"] = largest_difference(run.json["components"][name]["denominator"], denominator)
        wrong = {k: v for k, v in differences.items() if not v <= bound}
        return f"{case['loss']} {case['name']} {dtype.__name__}: {wrong}" if wrong else None

    def check_all(self, cases):
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            wrong = [w for w in pool.map(lambda c: self.check(c[1], c[0], c[2], c[3]), cases) if w]
        self.assertEqual(wrong, [])

    def test_golden_values_of_pytorch(self):
        golden = read_golden()
        self.assertGreater(len(golden), 100)
        self.assertLessEqual(set(reference.LOSSES), {case["loss"] for case in golden})
        for dtype, bound in BOUNDS.items():
            self.check_all([(number, case, dtype, bound) for number, case in enumerate(golden)])

    def test_fresh_random_batches(self):
        seed = int(os.environ.get("GRADELINE_TEST_SEED", random.SystemRandom().randrange(2**32)))
        print(f"seed {seed}: repeat with GRADELINE_TEST_SEED={seed}", flush=True)
        generator = np.random.default_rng(seed)
        cases = []
        for number in range(FRESH_CASES):
            dtype = (np.float64, np.float32)[int(generator.integers(2))]
            loss = ("cross_entropy", "binary_cross_entropy", "mse")[int(generator.integers(3))]
            inputs, params = random_batch(loss, generator, dtype)
            items, denominator, gradient, terms = reference.LOSSES[loss](**inputs, **params)
            reduction, divisor = random_reduction(generator, denominator, items.size)
            total, scale = items.sum(), 1 / np.longdouble(divisor) if divisor else 0
            case = {"loss": loss, "name": f"seed {seed} case {number} {params} {reduction}", "inputs": inputs, "params": params,
                    "reduction": reduction, "components": {loss: (total, denominator)}, "loss value": total * scale,
                    "items": items, "gradient": gradient * scale, "terms": terms * scale}
            cases.append((number, case, dtype, BOUNDS[dtype]))
        self.check_all(cases)


def random_reduction(generator, denominator, items):
    """The words of a reduction and what it divides by."""
    normaliser = float(generator.uniform(0.1, 50))
    return (
        ((), denominator),
        (("--reduction", "mean_all"), items),
        (("--reduction", "sum"), 1),
        (("--reduction", "given", "--normaliser", repr(normaliser)), normaliser),
    )[int(generator.integers(4))]


def random_batch(loss, generator, dtype):
    """Inputs and parameters that the loss takes, of any layout and option."""
    spread = 10.0 ** generator.uniform(-1, 1.5)
    tail = tuple(int(n) for n in generator.integers(1, 5, size=generator.integers(0, 3)))
    rows, classes = int(generator.integers(1, 9)), int(generator.integers(2, 8))
    label_type = (np.int32, np.int64)[int(generator.integers(2))]
    params = {}
    if loss == "cross_entropy":
        shape, item_shape = (rows, classes, *tail), (rows, *tail)
    else:
        shape = item_shape = (rows, *((classes,) if generator.random() < 0.7 else ()), *tail)
    prediction = (generator.standard_normal(shape) * spread).astype(dtype)
    coin = generator.random
    if loss == "cross_entropy":
        if coin() < 0.5:
            weights = generator.uniform(0.1, 3, classes) * (generator.random(classes) < generator.choice([1, 0.5]))
            params["class_weights"] = [float(w) for w in weights]
        if coin() < 0.5:
            params["label_smoothing"] = float(generator.uniform(0, 1))
        if coin() < 0.7:
            if coin() < 0.5:
                params["ignore_index"] = int(generator.choice([-100, 255, -1, 0, classes - 1]))
            target = generator.integers(0, classes, item_shape).astype(label_type)
            target[generator.random(item_shape) < 0.2] = params.get("ignore_index", -100)
        else:
            target = generator.dirichlet(np.ones(classes), item_shape).astype(dtype)
            target = np.clip(np.moveaxis(target, -1, 1), 0, 1)
    elif loss == "binary_cross_entropy":
        if coin() < 0.5:
            many = len(shape) > 1 and coin() < 0.5
            params["pos_weight"] = [float(w) for w in generator.uniform(0.1, 4, shape[1] if many else 1)]
        if coin() < 0.7:
            if coin() < 0.5:
                params["ignore_index"] = int(generator.choice([-100, 255, -1, 2]))
            target = generator.integers(0, 2, shape).astype(label_type)
            target[generator.random(shape) < 0.2] = params.get("ignore_index", -100)
        else:
            target = generator.random(shape).astype(dtype)
    else:
        target = (generator.standard_normal(shape) * spread).astype(dtype)
    inputs = {"prediction": prediction, "target": target}
    if coin() < 0.4:
        inputs["weight"] = generator.uniform(0, 2, item_shape).astype(dtype)
    return inputs, params


LOGITS = np.array([[2, 0.5, -1], [0, 1, 3], [-1, 2, 0.5], [1, 1, 1]])
LABELS = np.array([0, 1, 1, -100])


def mean_gradient():
    _, denominator, gradient, _ = reference.cross_entropy(LOGITS, LABELS)
    return gradient / denominator


class OptionsTest(unittest.TestCase):
    def test_the_answers_form(self):
        run, gradient, items = evaluate("cross_entropy", {"prediction": LOGITS, "target": LABELS})
        self.assertEqual(run.err, "")
        self.assertEqual(list(run.json), ["loss", "validCount", "empty", "components", "average"])
        self.assertAlmostEqual(run.json["loss"], 0.8841562042901999, delta=1e-15)
        self.assertEqual(run.json["average"], run.json["loss"])
        self.assertEqual((run.json["validCount"], run.json["empty"]), (3, False))
        component = run.json["components"]["cross_entropy"]
        self.assertEqual(set(component), {"loss", "weight", "numerator", "denominator", "divisor"})
        self.assertEqual(component["denominator"], 3)
        self.assertEqual(gradient.shape, (4, 3))
        np.testing.assert_allclose(items, [0.24131129665715703, 2.1698460195562856, 0.24131129665715703, 0], rtol=1e-15)

    def test_reductions(self):
        inputs = {"prediction": LOGITS, "target": LABELS}
        total = 0.8841562042901999 * 3
        for words, expected in {
            ("--reduction", "mean"): total / 3,
            ("--reduction", "mean_all"): total / 4,
            ("--reduction", "sum"): total,
            ("--reduction", "given", "--normaliser", "8"): total / 8,
        }.items():
            run, gradient, _ = evaluate("cross_entropy", inputs, more=words)
            self.assertAlmostEqual(run.json["loss"], expected, delta=1e-14)
            scale = expected / (total / 3)
            np.testing.assert_allclose(gradient, mean_gradient() * scale, rtol=1e-12, atol=1e-15)
        run, gradient, _ = evaluate("cross_entropy", inputs, more=("--gradient-scale", "-2"))
        np.testing.assert_allclose(gradient, -2 * mean_gradient(), rtol=1e-12, atol=1e-15)
        self.assertEqual(evaluate("cross_entropy", inputs, more=("--reduction", "given"))[0].code, 6)
        self.assertEqual(evaluate("cross_entropy", inputs, more=("--reduction", "average"))[0].code, 6)
        self.assertEqual(evaluate("cross_entropy", inputs, more=("--reduction", "given", "--normaliser", "0"))[0].code, 6)

    def test_the_reduction_goes_as_a_parameter(self):
        inputs = {"prediction": np.ones((2, 3)), "target": np.zeros((2, 3))}
        for reduction, loss in {"sum": 6, "mean": 1}.items():
            run = evaluate("mse", inputs, more=("--param", f"reduction={reduction}"))[0]
            self.assertEqual(run.json["loss"], loss, run)
        run = evaluate("mse", inputs, more=("--param", "reduction=median"))[0]
        self.assertEqual(run.code, 6, run)
        self.assertIn("--param reduction is", run.err)
        self.assertIn("allowed are mean, mean_all, sum, given, none", run.err)
        self.assertEqual(evaluate("mse", inputs, more=("--param", "reduction=sum", "--reduction", "mean"))[0].code, 2)

    def test_a_weighted_sum_shows_its_terms(self):
        inputs = {"prediction": LOGITS, "target": np.clip(LOGITS, 0, 1)}
        terms = {"binary_cross_entropy": 0.5, "mse": 2.0}
        alone = {loss: evaluate(loss, inputs, files=loss) for loss in terms}
        params = {f"{loss}.weight": weight for loss, weight in terms.items()} | {"binary_cross_entropy.pos_weight": [3]}
        alone["binary_cross_entropy"] = evaluate("binary_cross_entropy", inputs, {"pos_weight": [3]})
        run, gradient, items = evaluate("binary_cross_entropy+mse", inputs, params)
        self.assertEqual(run.code, 0, run)
        self.assertEqual(set(run.json["components"]), set(terms))
        total = sum(weight * alone[loss][0].json["loss"] for loss, weight in terms.items())
        self.assertAlmostEqual(run.json["loss"], total, delta=1e-14)
        self.assertAlmostEqual(run.json["average"], total / 2, delta=1e-14)
        for loss, weight in terms.items():
            self.assertEqual(run.json["components"][loss]["weight"], weight)
            self.assertEqual(run.json["components"][loss]["loss"], alone[loss][0].json["loss"])
        for got, index in ((gradient, 1), (items, 2)):
            np.testing.assert_allclose(got, sum(w * alone[loss][index] for loss, w in terms.items()), rtol=1e-13, atol=1e-15)

    def test_what_is_no_sum(self):
        inputs = {"prediction": LOGITS, "target": LABELS}
        for loss, code, text in (("mse+", 6, "empty term"), ("mse+mse", 6, "twice"), ("mse+mee", 3, "did you mean mse"),
                                 ("binary_cross_entropy+nothing+else", 3, "else")):
            run = evaluate(loss, inputs)[0]
            self.assertEqual(run.code, code, run)
            self.assertIn(text, run.err)
        run = evaluate("binary_cross_entropy+mse", inputs, {"pos_weight": [3], "mse.weight": -1})[0]
        self.assertEqual(run.code, 6, run)
        for text in ("did you mean binary_cross_entropy.pos_weight?", "params.mse.weight: is -1; allowed: finite numbers of at least 0"):
            self.assertIn(text, run.err)

    def test_the_average_stands_in_the_table(self):
        paths = {name: folder / f"table-{name}.npy" for name in ("prediction", "target")}
        np.save(paths["prediction"], np.full(4, 2.0))
        np.save(paths["target"], np.zeros(4))
        run = server("eval", "loss", "mse", *(w for name, path in paths.items() for w in ("--input", f"{name}={path}")))
        self.assertEqual([line.split() for line in run.out.splitlines()[:3]], [["loss", "4"], ["average", "4"], ["valid", "items", "4"]])

    def test_nothing_valid(self):
        run, gradient, _ = evaluate("cross_entropy", {"prediction": LOGITS, "target": LABELS * 0 - 100})
        self.assertEqual((run.json["loss"], run.json["validCount"], run.json["empty"]), (0, 0, True))
        self.assertEqual(np.abs(gradient).max(), 0)

    def test_narrow_types(self):
        expected = mean_gradient()
        for cast, bound, dtype in (("f16", 1e-3, np.float16), ("bf16", 1e-2, np.float32)):
            run, gradient, _ = evaluate("cross_entropy", {"prediction": LOGITS, "target": LABELS}, more=("--cast", f"prediction={cast}"))
            self.assertAlmostEqual(run.json["loss"], 0.8841562042901999, delta=1e-7)  # these logits are exact in both; kernels are in float
            self.assertEqual(gradient.dtype, dtype)
            self.assertLess(largest_difference(gradient, expected), bound)
        for kind in (np.uint8, np.int32):
            run, _, _ = evaluate("cross_entropy", {"prediction": LOGITS.astype(np.float16), "target": np.abs(LABELS).astype(kind)},
                                 {"ignore_index": 100})
            self.assertAlmostEqual(run.json["loss"], 0.8841562042901999, delta=1e-7)

    def test_wrong_input_is_named(self):
        good = {"prediction": LOGITS, "target": LABELS}
        for change, message in [
            ({"target": LABELS + 2}, "target"),
            ({"target": LABELS[:3]}, "target"),
            ({"prediction": np.where(LOGITS == 3, np.nan, LOGITS)}, "prediction"),
            ({"prediction": LOGITS[0]}, "prediction"),
            ({"other": LABELS}, "other"),
        ]:
            run = evaluate("cross_entropy", {**good, **change})[0]
            self.assertIn(run.code, (5, 6), run)
            self.assertEqual(run.out, "")
            self.assertIn(message, run.err)
        run = evaluate("cross_entropy", good, {"label_smoothing": 2.0})[0]
        self.assertEqual(run.code, 6)
        self.assertIn("label_smoothing", run.err)
        self.assertEqual(evaluate("cross-entropy", good)[0].code, 3)
        run = evaluate("cross_entropy", good, more=("--gradient", f"target={folder / 'x.npy'}"))[0]
        self.assertEqual(run.code, 6)
        self.assertIn("--gradient target", run.err)

    def test_wrong_files_and_flags(self):
        np.save(folder / "p.npy", LOGITS)
        np.save(folder / "t.npy", LABELS)
        target = ("--input", f"target={folder / 't.npy'}")

        def run(*words, code, message):
            got = server("eval", "loss", "cross_entropy", *words)
            self.assertEqual(got.code, code, got)
            self.assertIn(message, got.err)

        for name, array in {"fortran": np.asfortranarray(LOGITS), "big": LOGITS.astype(">f8"), "object": LOGITS.astype(object),
                            "complex": LOGITS.astype(complex), "text": LOGITS.astype(str), "u16": LABELS.astype(np.uint16)}.items():
            np.save(folder / f"{name}.npy", array)
            run("--input", f"prediction={folder / name}.npy", *target, code=6, message=f"{name}.npy")
        (folder / "cut.npy").write_bytes((folder / "p.npy").read_bytes()[:-1])
        run("--input", f"prediction={folder / 'cut.npy'}", *target, code=6, message="cut short")
        run("--input", "prediction", *target, code=2, message="NAME=FILE.npy")
        prediction = ("--input", f"prediction={folder / 'p.npy'}")
        run(*prediction, *prediction, *target, code=2, message="twice")
        run(*prediction, *target, "--cast", "prediction=f8", code=6, message="f16 and bf16")
        run(*prediction, *target, "--cast", "target=f16", code=6, message="target")
        run(*prediction, *target, "--cast", "weight=f16", code=2, message="weight")
        run(*prediction, *target, "--items", "/nonexistent/i.npy", code=6, message="/nonexistent")


if __name__ == "__main__":
    unittest.main()
