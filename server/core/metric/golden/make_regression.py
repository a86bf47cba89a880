"""Makes regression.json: what scikit-learn says of regression.

In a virtual environment with scikit-learn 1.4.2 and NumPy 1.24:
    python make_regression.py > regression.json
"""

import json
import warnings

import numpy
import sklearn
import sklearn.metrics as reference

RANDOM = numpy.random.default_rng(6)
CASES = []
SCORES = {"mean_absolute_error": reference.mean_absolute_error,
          "root_mean_squared_error": reference.root_mean_squared_error,
          "r2_score": reference.r2_score, "explained_variance": reference.explained_variance_score}


def tensor(name, dtype, array):
    return {"name": name, "dtype": dtype, "shape": list(array.shape), "data": array.ravel().tolist()}


def add(name, prediction, target, dtype="f64", tolerance=1e-12, **fixed):
    """One case for each score; `fixed`: what scikit-learn does not say, or says after rounding."""
    for metric, score in SCORES.items():
        expect = fixed.get(metric)
        if expect is None:
            flat_p, flat_t = prediction.reshape(len(prediction), -1), target.reshape(len(target), -1)
            each = score(flat_t, flat_p, multioutput="raw_values")
            expect = {"value": float(score(flat_t, flat_p)), "count": len(target),
                      "classes": {str(k): float(value) for k, value in enumerate(each)}}
        CASES.append({"name": f"{metric} {name}", "metric": metric, "signal": "value", "tolerance": tolerance,
                      "inputs": [tensor("prediction", dtype, prediction), tensor("target", dtype, target)],
                      "expect": expect})


def main():
    warnings.filterwarnings("ignore")
    for shape in ((2,), (7,), (40,), (30, 1), (30, 3), (10, 2, 3)):
        target = RANDOM.normal(1, 2, shape)
        add(f"{list(shape)}", target + RANDOM.normal(0, 0.5, shape), target)
        add(f"{list(shape)} far off", RANDOM.normal(5, 9, shape), target)
        single = target.astype(numpy.float32).astype(numpy.float64)
        add(f"{list(shape)} f32", (single + RANDOM.normal(0, 1, shape)).astype(numpy.float32).astype(numpy.float64), single,
            "f32")
    target = RANDOM.integers(-3, 4, (20, 2)).astype(float)
    add("exact", target, target)
    add("constant targets", target, numpy.full((20, 2), 2.0))
    add("constant targets met", numpy.full(9, 2.0), numpy.full(9, 2.0))
    add("constant predictions", numpy.full((20, 2), 2.0), target)
    mixed = target.copy()
    mixed[:, 1] = 4
    add("one output of two is constant", target, mixed)
    add("constant differences of a constant target", numpy.full(9, 3.0), numpy.full(9, 2.0))
    add("one item", numpy.array([3.0]), numpy.array([5.0]), r2_score={"value": 0, "count": 0, "note": "two items"})
    add("one exact item", numpy.array([5.0]), numpy.array([5.0]), r2_score={"value": 0, "count": 0, "note": "two items"})
    nothing = {"value": 0, "count": 0, "note": "nothing"}
    add("no item", numpy.zeros(0), numpy.zeros(0), mean_absolute_error=nothing, root_mean_squared_error=nothing,
        explained_variance=nothing, r2_score={"value": 0, "count": 0})
    # Far from 0 scikit-learn's means round: what it says is as exact as these.
    target = 1e8 + 1e-3 * RANDOM.normal(0, 1, 40)
    add("far from 0", target + 1e-4 * RANDOM.normal(0, 1, 40), target, tolerance=1e-7)
    versions = {"scikit-learn": sklearn.__version__, "numpy": numpy.__version__}
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in CASES)
    print(f'{{"versions": {json.dumps(versions)}, "cases": [\n{lines}\n]}}')


if __name__ == "__main__":
    main()
