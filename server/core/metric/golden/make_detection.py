"""Writes detection.json: average precision of boxes and masks as pycocotools gives it, and that of Pascal VOC by plain
Python from the devkit's definition (for boxes without a reference library that works without MATLAB).

    python3 make_detection.py

with pycocotools 2.0.8, faster-coco-eval 1.8.0 and numpy 1.24. faster-coco-eval must agree, or nothing is written.
"""
import contextlib
import io
import json
import math
import pathlib
import random

import faster_coco_eval
import numpy as np
import pycocotools
from faster_coco_eval import COCO as FastCoco, COCOeval_faster
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

AREAS = ["all", "small", "medium", "large"]
IOUS = [f"0.{50 + 5 * t}" for t in range(10)]


def evaluate(coco_class, eval_class, case, kind, max_detections):
    """The evaluated object; `case` has COCO's lists of images, categories, annotations and detections."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco_class()
        truth.dataset = {key: [dict(row) for row in case[key]] for key in ("images", "categories", "annotations")}
        truth.createIndex()
        found = coco_class()
        found.dataset = {"images": truth.dataset["images"], "categories": truth.dataset["categories"],
                         "annotations": [dict(row, id=i + 1) for i, row in enumerate(case["detections"])]}
        found.createIndex()
        run = eval_class(truth, found, kind)
        run.params.maxDets = sorted({1, 10, max_detections})
        if len(run.params.maxDets) < 3:
            run.params.maxDets = [1, max_detections, max_detections] if max_detections > 1 else [1, 1, 1]
        run.evaluate()
        run.accumulate()
    return run


def mean(values):
    values = values[values > -1]
    return float(np.mean(values)) if values.size else None


def expected(run, case, iou, area, max_detections):
    precision, recall = run.eval["precision"], run.eval["recall"]
    last = list(run.params.maxDets).index(max_detections)
    a = AREAS.index(area)
    t = slice(None) if iou == "0.50:0.95" else slice(IOUS.index(iou), IOUS.index(iou) + 1)
    numbers = {"ap": mean(precision[:, :, :, 0, last]), "ap50": mean(precision[0, :, :, 0, last]),
               "ap75": mean(precision[5, :, :, 0, last]), f"ar{max_detections}": mean(recall[:, :, 0, last])}
    for few in (1, 10):
        if few < max_detections:
            numbers[f"ar{few}"] = mean(recall[:, :, 0, list(run.params.maxDets).index(few)])
    for i, name in enumerate(AREAS[1:], 1):
        numbers[f"ap_{name}"] = mean(precision[:, :, :, i, last])
        numbers[f"ar_{name}"] = mean(recall[:, :, i, last])
    classes = {str(c): mean(precision[t, :, k, a, last]) for k, c in enumerate(run.params.catIds)}
    value = mean(precision[t, :, :, a, last])
    result = {"numbers": {name: number for name, number in numbers.items() if number is not None}, "classes": classes}
    if value is None:
        return dict(result, count=0, value=0, note="no target that counts")
    return dict(result, count=len(case["images"]), value=value)


def tensor(name, dtype, values, columns=0):
    flat = [float(v) if dtype[0] == "f" else int(v) for row in values for v in (row if columns else [row])]
    return {"name": name, "dtype": dtype, "shape": [len(values), columns] if columns else [len(values)], "data": flat}


def box_of(xywh, form):
    x, y, w, h = xywh
    return {"xywh": [x, y, w, h], "xyxy": [x, y, x + w, y + h], "cxcywh": [x + w / 2, y + h / 2, w, h]}[form]


def masks(prefix, rows):
    counts = [row["segmentation"]["counts"] for row in rows]
    return [tensor(prefix + "mask_sizes", "i32", [row["segmentation"]["size"] for row in rows], 2),
            tensor(prefix + "mask_runs", "i32", [len(own) for own in counts]),
            tensor(prefix + "mask_counts", "i64", [c for own in counts for c in own])]


def inputs(case, kind, form, area=True):
    found, wanted = case["detections"], case["annotations"]
    tensors = [tensor("scores", "f64", [d["score"] for d in found]),
               tensor("classes", "i32", [d["category_id"] for d in found]),
               tensor("images", "i64", [d["image_id"] for d in found]),
               tensor("target_classes", "i64", [t["category_id"] for t in wanted]),
               tensor("target_images", "i32", [t["image_id"] for t in wanted]),
               tensor("target_crowd", "u8", [t["iscrowd"] for t in wanted]),
               tensor("evaluated_images", "i64", [i["id"] for i in case["images"]])]
    if area:
        tensors.append(tensor("target_area", "f64", [t["area"] for t in wanted]))
    if kind == "segm":
        return tensors + masks("", found) + masks("target_", wanted)
    return tensors + [tensor("boxes", "f64", [box_of(d["bbox"], form) for d in found], 4),
                      tensor("target_boxes", "f64", [box_of(t["bbox"], form) for t in wanted], 4)]


def runs_of(mask):
    flat, counts, value = mask.flatten(order="F"), [], 0
    run = 0
    for pixel in flat:
        if pixel != value:
            counts.append(run)
            run, value = 0, pixel
        run += 1
    return {"size": list(mask.shape), "counts": counts + [run]}


def random_case(r, images=6, classes=3, targets=4, spare=5, crowd=0.0, scale=1.0, ties=False, grid=True, area=None):
    """Targets, detections around them, and others anywhere; corners on a grid of 1/4 where all formats are exact."""
    def number(most):
        return r.randrange(0, int(most * 4)) / 4 if grid else r.random() * most
    case = {"images": [{"id": 10 * i + 3, "width": 640, "height": 480} for i in range(images)],
            "categories": [{"id": c, "name": str(c)} for c in range(1, classes + 1)], "annotations": [], "detections": []}
    for image in case["images"]:
        for _ in range(r.randrange(0, targets + 1)):
            w, h = (5 + number(60)) * scale, (5 + number(60)) * scale
            box = [number(300), number(200), w, h]
            case["annotations"].append(
                {"id": len(case["annotations"]) + 1, "image_id": image["id"], "category_id": r.randrange(1, classes + 1),
                 "bbox": box, "area": area(r, box) if area else w * h, "iscrowd": int(r.random() < crowd)})
            for _ in range(r.randrange(0, 3)):
                moved = [box[0] + r.randrange(-12, 13) / 4 * scale, box[1] + r.randrange(-12, 13) / 4 * scale,
                         w + r.randrange(-8, 9) / 4 * scale, h + r.randrange(-8, 9) / 4 * scale]
                own = case["annotations"][-1]["category_id"] if r.random() < 0.9 else r.randrange(1, classes + 1)
                case["detections"].append({"image_id": image["id"], "category_id": own, "bbox": moved})
        for _ in range(r.randrange(0, spare + 1)):
            case["detections"].append({"image_id": image["id"], "category_id": r.randrange(1, classes + 1),
                                       "bbox": [number(300), number(200), 5 + number(60), 5 + number(60)]})
    r.shuffle(case["detections"])
    for d in case["detections"]:
        d["score"] = r.randrange(0, 4) / 4 if ties else r.random()
        d["area"] = d["bbox"][2] * d["bbox"][3]
        d["iscrowd"] = 0
    return case


def painted_case(r, images=4, size=(24, 32), empty=False):
    """Masks of ellipses, targets and detections shifted; with `empty` some without a pixel."""
    case = {"images": [{"id": i + 1, "height": size[0], "width": size[1]} for i in range(images)],
            "categories": [{"id": 1, "name": "1"}, {"id": 2, "name": "2"}], "annotations": [], "detections": []}
    rows, columns = np.mgrid[:size[0], :size[1]]

    def blob(y, x, a, b):
        return (((rows - y) / a) ** 2 + ((columns - x) / b) ** 2 <= 1).astype(np.uint8)
    for image in case["images"]:
        for _ in range(r.randrange(1, 5)):
            y, x, a, b = r.uniform(0, size[0]), r.uniform(0, size[1]), r.uniform(2, 9), r.uniform(2, 9)
            mask = blob(y, x, a, b) if not (empty and r.random() < 0.3) else np.zeros(size, np.uint8)
            own = {"image_id": image["id"], "category_id": r.randrange(1, 3)}
            case["annotations"].append(dict(own, id=len(case["annotations"]) + 1, iscrowd=int(r.random() < 0.2),
                                            area=int(mask.sum()), bbox=[0, 0, 1, 1], segmentation=runs_of(mask)))
            for _ in range(r.randrange(0, 4)):
                near = blob(y + r.uniform(-1.5, 1.5), x + r.uniform(-1.5, 1.5), a + r.uniform(-1, 1), b)
                near = near if not (empty and r.random() < 0.2) else np.zeros(size, np.uint8)
                case["detections"].append(dict(own, score=r.random(), area=int(near.sum()), bbox=[0, 0, 1, 1],
                                               iscrowd=0, segmentation=runs_of(near)))
    return case


def compressed(case):
    """With the RLE of masks compressed, which evaluation needs."""
    from pycocotools import mask
    def row(r):
        if "segmentation" not in r:
            return r
        return dict(r, segmentation=mask.frPyObjects(r["segmentation"], *r["segmentation"]["size"]))
    return dict(case, annotations=[row(r) for r in case["annotations"]], detections=[row(r) for r in case["detections"]])


def coco(name, case, kind="bbox", form="xyxy", iou="0.50:0.95", area="all", max_detections=100, with_area=True):
    run = evaluate(COCO, COCOeval, compressed(case), kind, max_detections)
    wanted = expected(run, case, iou, area, max_detections)
    if max_detections >= 11 and case["detections"] and case["annotations"]:
        fast = evaluate(FastCoco, COCOeval_faster, compressed(case), kind, max_detections)
        for part in ("precision", "recall"):
            theirs = np.asarray(fast.eval[part]).reshape(run.eval[part].shape)
            assert np.abs(theirs - run.eval[part]).max() < 1e-12, (name, part)
    return {"name": name, "metric": "coco_average_precision", "signal": "instances" if kind == "segm" else "detections",
            "params": {"box_format": form, "iou": iou, "area": area, "max_detections": max_detections},
            "inputs": inputs(case, kind, form, with_area), "expect": wanted}


def voc_iou(a, b, offset):
    ax, ay, bx, by = a[0] + a[2], a[1] + a[3], b[0] + b[2], b[1] + b[3]
    w = min(ax, bx) - max(a[0], b[0]) + offset
    h = min(ay, by) - max(a[1], b[1]) + offset
    if w <= 0 or h <= 0:
        return 0
    return w * h / ((a[2] + offset) * (a[3] + offset) + (b[2] + offset) * (b[3] + offset) - w * h)


def voc_class(case, category, iou, eleven_point, offset):
    """Average precision and number of targets of one class, by the definition."""
    wanted = [t for t in case["annotations"] if t["category_id"] == category]
    positives = sum(not t["iscrowd"] for t in wanted)
    found = [d for d in case["detections"] if d["category_id"] == category]
    order = sorted(range(len(found)), key=lambda i: (-found[i]["score"], found[i]["image_id"], i))
    taken, right, wrong, points = set(), 0, 0, []
    for i in order:
        best, at = 0, None
        for t in wanted:
            overlap = voc_iou(found[i]["bbox"], t["bbox"], offset) if t["image_id"] == found[i]["image_id"] else 0
            if overlap > best:
                best, at = overlap, t
        if at is not None and best >= iou:
            if at["iscrowd"]:
                continue
            right, wrong = (right + 1, wrong) if at["id"] not in taken else (right, wrong + 1)
            taken.add(at["id"])
        else:
            wrong += 1
        points.append((right, right / (right + wrong)))
    if positives == 0:
        return None
    if eleven_point:
        return sum(max([p for k, p in points if 10 * k >= i * positives], default=0) for i in range(11)) / 11
    area, before = 0, 0
    for j, (k, _) in enumerate(points):
        area += (k - before) / positives * max(p for _, p in points[j:])
        before = k
    return area


def voc(name, case, iou=0.5, interpolation="area", offset=0, form="xyxy"):
    classes = {str(c["id"]): voc_class(case, c["id"], iou, interpolation == "eleven_point", offset)
               for c in case["categories"]}
    defined = [ap for ap in classes.values() if ap is not None]
    wanted = {"classes": classes, "value": math.fsum(defined) / len(defined) if defined else 0,
              "count": len(case["images"]) if defined else 0}
    return {"name": name, "metric": "voc_average_precision", "signal": "detections",
            "params": {"box_format": form, "iou": iou, "interpolation": interpolation, "pixel_offset": offset},
            "inputs": inputs(case, "bbox", form), "expect": wanted}


def main():
    r = random.Random(20)
    cases = []
    for i in range(6):
        cases.append(coco(f"normal {i}", random_case(r, scale=(1, 0.4, 4)[i % 3]), form=("xyxy", "xywh", "cxcywh")[i % 3]))
    for i in range(4):
        cases.append(coco(f"corners anywhere {i}", random_case(r, grid=False), form="xywh"))
    for i in range(4):
        cases.append(coco(f"ties of scores within and over images {i}", random_case(r, ties=True, spare=10)))
    for i in range(4):
        cases.append(coco(f"crowds {i}", random_case(r, crowd=0.4, targets=6)))
    empty = random_case(r)
    cases.append(coco("no detections", dict(empty, detections=[])))
    cases.append(coco("no targets", dict(empty, annotations=[])))
    cases.append(coco("nothing but images", dict(empty, annotations=[], detections=[])))
    cases.append(coco("crowds alone", random_case(r, crowd=1.0)))
    only = dict(empty, annotations=[t for t in empty["annotations"] if t["category_id"] != 2])
    cases.append(coco("a class without targets", only))
    cases.append(coco("areas that are not the boxes'",
                      random_case(r, area=lambda r, box: r.choice([0, 1023, 1024, 1025, 9216, 9217, 1e10, 2e10]))))
    edge = random_case(r, images=3)
    for i, t in enumerate(edge["annotations"]):
        t["bbox"][2:], t["area"] = [32, 32 + i % 3], 32 * (32 + i % 3)
    cases.append(coco("boxes at the bound of small, area by default", edge, with_area=False))
    huge = random_case(r, images=3)
    for d in huge["detections"][::3]:
        d["bbox"], d["area"] = [0, 0, 2e5, 2e5], 4e10
    cases.append(coco("detections larger than any range", huge))
    flat = random_case(r, images=3)
    for d in flat["detections"][::3]:
        d["bbox"][2] = 0
        d["area"] = 0
    cases.append(coco("detections without an area", flat))
    many = random_case(r, images=2, classes=1, spare=260, targets=20)
    cases.append(coco("more than 100 detections", many))
    for most in (1, 2, 10, 11, 40, 1000):
        cases.append(coco(f"at most {most} detections", many, max_detections=most))
    mixed = random_case(r, images=8, crowd=0.1, targets=6)
    for iou in IOUS:
        cases.append(coco(f"iou {iou}", mixed, iou=iou))
    for area in AREAS:
        cases.append(coco(f"area {area}", mixed, area=area))
        cases.append(coco(f"area {area} at .75", mixed, area=area, iou="0.75"))
    for i in range(6):
        cases.append(coco(f"masks {i}", painted_case(r), kind="segm"))
    for i in range(2):
        cases.append(coco(f"masks without a pixel {i}", painted_case(r, empty=True), kind="segm"))
    cases.append(coco("masks, at most 2, area small", painted_case(r), kind="segm", area="small", max_detections=2))
    for i in range(3):
        for interpolation in ("area", "eleven_point"):
            cases.append(voc(f"voc {i} {interpolation}", random_case(r, crowd=0.2), interpolation=interpolation))
            cases.append(voc(f"voc {i} {interpolation}, pixels", random_case(r, crowd=0.2), interpolation=interpolation,
                             offset=1, form="xywh"))
            cases.append(voc(f"voc ties {i} {interpolation}", random_case(r, ties=True), interpolation=interpolation,
                             iou=0.3))
    cases.append(voc("voc no detections", dict(empty, detections=[])))
    cases.append(voc("voc no targets", dict(empty, annotations=[])))
    cases.append(voc("voc difficult alone", random_case(r, crowd=1.0)))
    versions = {"pycocotools": "2.0.8", "faster-coco-eval": faster_coco_eval.__version__, "numpy": np.__version__}
    text = json.dumps({"versions": versions, "cases": []})[:-2]
    text += ",\n".join("\n" + json.dumps(case) for case in cases).replace("\n\n", "\n") + "]}\n"
    pathlib.Path(__file__).with_name("detection.json").write_text(text)


if __name__ == "__main__":
    main()
