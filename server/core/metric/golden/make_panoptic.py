"""Writes panoptic.json: panoptic quality, computed segment by segment from the definition in panopticapi's
evaluation.py (pq_compute_single_core), which has no release to install.

    python3 make_panoptic.py

with numpy 1.24.
"""
import json
import pathlib
import random

import numpy as np


def count(case):
    """Per class [found, made up, missed, sum of IoU]. `case`: arrays and rows as the inputs have them."""
    sums = {}
    for n in range(len(case["prediction"])):
        predicted, wanted = case["prediction"][n], case["target"][n]
        segments = [row for row in case["segments"] if row[0] == n]
        targets = [row for row in case["target_segments"] if row[0] == n]
        void = wanted == 0
        matched_targets, matched_segments = set(), set()
        for _, target, target_class, crowd in targets:
            for _, segment, segment_class in segments:
                if crowd or target_class != segment_class:
                    continue
                both = int(((wanted == target) & (predicted == segment)).sum())
                either = int(((wanted == target) | ((predicted == segment) & ~void)).sum())
                if 2 * both > either:
                    own = sums.setdefault(target_class, [0, 0, 0, 0.0])
                    own[0] += 1
                    own[3] += both / either
                    matched_targets.add(target)
                    matched_segments.add(segment)
        for _, target, target_class, crowd in targets:
            if not crowd and target not in matched_targets:
                sums.setdefault(target_class, [0, 0, 0, 0.0])[2] += 1
        crowds = {target_class: target for _, target, target_class, crowd in targets if crowd}
        for _, segment, segment_class in segments:
            own = predicted == segment
            ignored = void.copy()
            if segment_class in crowds:
                ignored |= wanted == crowds[segment_class]
            if segment not in matched_segments and 2 * int((own & ignored).sum()) <= int(own.sum()):
                sums.setdefault(segment_class, [0, 0, 0, 0.0])[1] += 1
    return sums


def qualities(sums):
    rows = []
    for found, made_up, missed, iou in sums:
        every = found + 0.5 * made_up + 0.5 * missed
        rows.append((iou / every, iou / found if found else 0, found / every))
    return [sum(column) / len(rows) for column in zip(*rows)] if rows else None


def expected(case):
    sums = count(case)
    every = qualities(sums.values())
    if every is None:
        return {"value": 0, "count": 0, "note": "no segment that counts"}
    result = {"value": every[0], "count": len(case["prediction"]), "numbers": {"sq": every[1], "rq": every[2]},
              "classes": {str(c): qualities([own])[0] for c, own in sums.items()}}
    stuff = case.get("stuff_classes")
    for name, kept in (("things", lambda c: c not in stuff), ("stuff", lambda c: c in stuff)):
        means = qualities([own for c, own in sums.items() if kept(c)]) if stuff else None
        if means:
            result["numbers"].update({f"{q}_{name}": v for q, v in zip(("pq", "sq", "rq"), means)})
    return result


def random_case(r, images=3, size=(9, 12), crowd=0.15, void=0.2, changed=0.25, several=True):
    """Targets are rectangles over void, predictions the same with edges moved, classes and pixels changed."""
    shape = (images, *size)
    case = {"prediction": np.zeros(shape, int), "target": np.zeros(shape, int), "segments": [], "target_segments": []}
    for n in range(images):
        classes = {}
        for segment in range(1, r.randrange(2, 8)):
            top, left = r.randrange(size[0]), r.randrange(size[1])
            bottom, right = top + r.randrange(2, 7), left + r.randrange(2, 8)
            case["target"][n, top:bottom, left:right] = segment * 10
            move = r.choice([0, 0, 0, 1])
            case["prediction"][n, top + move:bottom, left:right + move] = segment
            classes[segment] = r.randrange(1, 5)
        crowded = set()
        for segment, own in classes.items():
            is_crowd = r.random() < crowd and (several or own not in crowded)
            crowded |= {own} if is_crowd else set()
            if (case["target"][n] == segment * 10).any():
                case["target_segments"].append([n, segment * 10, own, int(is_crowd)])
            if (case["prediction"][n] == segment).any():
                guess = own if r.random() > changed else r.randrange(1, 5)
                case["segments"].append([n, segment, guess])
        for row in list(case["target_segments"]):
            if row[0] == n and r.random() < void / 2:
                case["target"][n][case["target"][n] == row[1]] = 0
                case["target_segments"].remove(row)
    return case


def golden(name, case):
    inputs = []
    for key, dtype in (("prediction", "i32"), ("target", "i64"), ("segments", "i64"), ("target_segments", "i32"),
                       ("stuff_classes", "i32")):
        if key in case:
            columns = {"segments": 3, "target_segments": 4}.get(key)
            values = np.array(case[key], int).reshape((-1, columns) if columns else np.shape(case[key]))
            inputs.append({"name": key, "dtype": dtype, "shape": list(values.shape), "data": values.flatten().tolist()})
    return {"name": name, "metric": "panoptic_quality", "signal": "panoptic", "inputs": inputs, "expect": expected(case)}


def main():
    r = random.Random(20)
    cases = [golden(f"normal {i}", random_case(r)) for i in range(8)]
    cases += [golden(f"stuff {i}", dict(random_case(r), stuff_classes=[1, 3])) for i in range(4)]
    cases += [golden(f"stuff alone {i}", dict(random_case(r), stuff_classes=[1, 2, 3, 4])) for i in range(1)]
    cases += [golden(f"much void {i}", random_case(r, void=0.9)) for i in range(3)]
    cases += [golden(f"crowds {i}", random_case(r, crowd=0.6, changed=0.1)) for i in range(4)]
    one = random_case(r)
    nothing = np.zeros_like(one["target"])
    cases.append(golden("no predictions", dict(one, prediction=nothing, segments=[])))
    cases.append(golden("no targets", dict(one, target=nothing, target_segments=[])))
    cases.append(golden("empty images", dict(one, prediction=nothing, target=nothing, segments=[], target_segments=[])))
    cases.append(golden("all right", {"prediction": one["target"], "target": one["target"],
                                      "segments": [row[:3] for row in one["target_segments"]],
                                      "target_segments": [row[:3] + [0] for row in one["target_segments"]]}))
    half = {"prediction": np.array([[[1, 1, 0, 0]]]), "target": np.array([[[5, 5, 5, 5]]]),
            "segments": [[0, 1, 2]], "target_segments": [[0, 5, 2, 0]]}
    cases.append(golden("an IoU of exactly a half", half))
    cases.append(golden("a target without a pixel", dict(half, target_segments=[[0, 5, 2, 0], [0, 6, 3, 0]])))
    cases.append(golden("half in void", {"prediction": np.array([[[1, 1, 2, 2]]]), "target": np.array([[[0, 5, 0, 0]]]),
                                         "segments": [[0, 1, 1], [0, 2, 1]], "target_segments": [[0, 5, 2, 0]]}))
    head = json.dumps({"versions": {"numpy": np.__version__}, "cases": []})[:-2]
    text = head + ",\n".join("\n" + json.dumps(case) for case in cases).replace("\n\n", "\n") + "]}\n"
    pathlib.Path(__file__).with_name("panoptic.json").write_text(text)


if __name__ == "__main__":
    main()
