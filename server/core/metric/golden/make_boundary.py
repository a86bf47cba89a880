#!/usr/bin/python3
"""The boundary F-score from its definition, with scipy's Euclidean distance transform. Run, with scipy 1.10 and numpy 1.24:
make_boundary.py; it writes boundary.json beside itself."""

import json
import pathlib

import numpy
import scipy
from scipy import ndimage

IGNORED = 255
random = numpy.random.default_rng(7)
cases = []


def boundary(image, index):
    """Pixels of the class with one of another among their four neighbours; -1 is no class."""
    marked = numpy.zeros(image.shape, dtype=bool)
    for axis, step in [(0, 1), (0, -1), (1, 1), (1, -1)]:
        moved = numpy.full(image.shape, -1)
        to, of = [slice(None)] * 2, [slice(None)] * 2
        to[axis], of[axis] = (slice(1, None), slice(None, -1)) if step > 0 else (slice(None, -1), slice(1, None))
        moved[tuple(to)] = image[tuple(of)]
        marked |= (image == index) & (moved >= 0) & (moved != index)
    return marked


def score(predicted, target, index, tolerance):
    if not ((predicted == index) | (target == index)).any():
        return None
    said, right = boundary(predicted, index), boundary(target, index)
    if not said.any() and not right.any():
        return 1.0
    if not said.any() or not right.any():
        return 0.0
    allowed = tolerance * numpy.hypot(*target.shape) + 1e-9
    precision = (ndimage.distance_transform_edt(~right)[said] <= allowed).mean()
    recall = (ndimage.distance_transform_edt(~said)[right] <= allowed).mean()
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


def blobs(height, width, classes):
    """Smooth regions, as of a segmentation."""
    fields = [ndimage.gaussian_filter(random.standard_normal((height, width)), 4) for _ in range(classes)]
    return numpy.argmax(fields, axis=0)


def case(name, signal, predicted, target, classes, params):
    tolerance = params.get("tolerance", 0.0075)
    known = [numpy.where(target == IGNORED, -1, images) for images in (predicted, target)]
    indices = [1] if signal == "pixel-binary" else range(classes)
    scores = {i: [s for p, t in zip(*known) if (s := score(p, t, i, tolerance)) is not None] for i in indices}
    every = [s for some in scores.values() for s in some]
    expect = {"value": float(numpy.mean(every)), "count": len(every),
              "classes": {str(0 if signal == "pixel-binary" else i): float(numpy.mean(some)) if some else None for i, some in scores.items()}}
    inputs = [{"name": n, "dtype": "u8", "shape": list(v.shape), "data": v.reshape(-1).tolist()} for n, v in [("prediction", predicted), ("target", target)]]
    cases.append({"name": f"{name} {params}", "metric": "boundary_f_score", "signal": signal, "inputs": inputs, "params": params,
                  "ignore_index": IGNORED, "expect": expect, "tolerance": 1e-14})


for signal, classes, ignored, (height, width) in [("pixel-multiclass", 4, False, (32, 40)), ("pixel-multiclass", 3, True, (32, 40)),
                                                  ("pixel-binary", 2, False, (32, 40)), ("pixel-binary", 2, True, (24, 48))]:
    target = numpy.stack([blobs(height, width, classes) for _ in range(2)])
    predicted = numpy.roll(target, (1, 2), (1, 2))
    predicted[0, 5:15, 5:20] = classes - 1
    if ignored:
        target[:, 10:14, 10:30] = IGNORED
        target[1, :, :3] = IGNORED
    for params in [{"tolerance": 0.06}, {}] if signal == "pixel-binary" else [{}, {"tolerance": 0.0}, {"tolerance": 0.03}, {"tolerance": 0.06}, {"tolerance": 0.3}]:
        case("ignored" if ignored else "all", signal, predicted, target, classes, params)
same = numpy.zeros((1, 6, 7), dtype=int)
half = numpy.repeat(numpy.array([[0] * 4 + [1] * 3]), 6, axis=0)[None]
case("no boundary", "pixel-multiclass", same, same, 1, {})
case("boundary of the target alone", "pixel-multiclass", same, half, 2, {})
case("boundary of the prediction alone", "pixel-multiclass", half, same, 2, {})
case("the same", "pixel-multiclass", half, half, 2, {})

path = pathlib.Path(__file__).with_name("boundary.json")
lines = ",\n".join(json.dumps(one, separators=(",", ":")) for one in cases)
versions = {"scipy": scipy.__version__, "numpy": numpy.__version__}
path.write_text(f'{{"versions": {json.dumps(versions)}, "cases": [\n{lines}\n]}}\n')
print(len(cases), "cases,", path.stat().st_size, "bytes")
