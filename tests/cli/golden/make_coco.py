"""Makes coco_instances.json, coco_results.json, coco_masks.json and coco_expected.json, what pycocotools says of them.

    python3 -m venv venv && venv/bin/pip install pycocotools==2.0.8 numpy==1.24.4 && venv/bin/python make_coco.py

Forty images with boxes, polygons, run lengths and crowds in three categories; detections are the objects moved a little,
with scores that tie within and over images, some missing, some made up. The polygons are compared run by run too.
"""

import contextlib
import importlib.metadata
import io
import json
import math
import pathlib
import random

from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

HERE = pathlib.Path(__file__).parent
HEIGHT, WIDTH = 120, 160
STATS = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large")


def polygon(draw, x, y, width, height):
    corners = draw.randint(3, 9)
    points = []
    for k in range(corners):
        angle = 2 * math.pi * k / corners
        points += [round(x + width / 2 * (1 + math.cos(angle)), 2), round(y + height / 2 * (1 + math.sin(angle)), 2)]
    return points


def shape(draw, box):
    """A polygon, two of them, or run lengths that fill the box; with its area."""
    x, y, width, height = box
    kind = draw.randrange(4)
    if kind == 0:
        polygons = [polygon(draw, x, y, width / 2, height), polygon(draw, x + width / 3, y, width / 2, height)]
    else:
        polygons = [polygon(draw, x, y, width, height)]
    runs = rle.merge(rle.frPyObjects(polygons, HEIGHT, WIDTH))
    if kind == 3:
        return {"size": runs["size"], "counts": runs["counts"].decode()}, int(rle.area(runs))
    return polygons, int(rle.area(runs))


def make(draw):
    images, annotations, boxes, masks = [], [], [], []
    for image in range(40):
        images.append({"id": 1000 - 7 * image, "file_name": f"{image}.png", "height": HEIGHT, "width": WIDTH})
        for _ in range(draw.randrange(6)):
            width, height = draw.choice((6, 20, 45, 100)), draw.choice((8, 25, 40, 100))
            x, y = round(draw.uniform(0, WIDTH - width), 2), round(draw.uniform(0, HEIGHT - height), 2)
            box, category, crowd = [x, y, width, height], draw.choice((3, 7, 90)), int(draw.random() < 0.1)
            segmentation, area = shape(draw, box)
            if crowd and isinstance(segmentation, list):
                runs = rle.merge(rle.frPyObjects(segmentation, HEIGHT, WIDTH))
                bits = rle.decode(runs).T.reshape(-1)
                counts, value = [0], 0
                for bit in bits:
                    if bit != value:
                        counts.append(0)
                        value = bit
                    counts[-1] += 1
                segmentation = {"size": [HEIGHT, WIDTH], "counts": counts}
            annotations.append({"id": len(annotations) + 1, "image_id": images[-1]["id"], "category_id": category, "bbox": box,
                                "area": area, "iscrowd": crowd, "segmentation": segmentation})
            for _ in range(draw.randrange(3)):
                moved = [round(x + draw.gauss(0, 2), 2), round(y + draw.gauss(0, 2), 2), max(1, width + draw.randint(-2, 2)), height]
                score = round(draw.random(), 1)
                found = {"image_id": images[-1]["id"], "category_id": category, "score": score}
                boxes.append({**found, "bbox": moved})
                runs = rle.merge(rle.frPyObjects([polygon(draw, *moved)], HEIGHT, WIDTH))
                masks.append({**found, "segmentation": {"size": runs["size"], "counts": runs["counts"].decode()}})
        if draw.random() < 0.5:
            boxes.append({"image_id": images[-1]["id"], "category_id": 7, "score": 0.5, "bbox": [1.5, 2.5, 30, 30]})
    categories = [{"id": 90, "name": "pear"}, {"id": 3, "name": "apple"}, {"id": 7, "name": "fig"}]
    return {"images": images, "annotations": annotations, "categories": categories}, boxes, masks


def evaluate(truth, results, kind):
    with contextlib.redirect_stdout(io.StringIO()):
        loaded = COCO(str(truth))
        evaluation = COCOeval(loaded, loaded.loadRes(str(results)), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    precision = evaluation.eval["precision"]  # thresholds, recalls, classes, areas, detections
    classes = [float(precision[:, :, k, 0, 2].mean()) for k in range(precision.shape[2])]
    return {"numbers": dict(zip(STATS, map(float, evaluation.stats))), "classes": classes}


def main():
    draw = random.Random(20261128)
    truth, boxes, masks = make(draw)
    for name, content in (("instances", truth), ("results", boxes), ("masks", masks)):
        (HERE / f"coco_{name}.json").write_text(json.dumps(content) + "\n")
    expected = {
        "versions": {"pycocotools": importlib.metadata.version("pycocotools")},
        "bbox": evaluate(HERE / "coco_instances.json", HERE / "coco_results.json", "bbox"),
        "segm": evaluate(HERE / "coco_instances.json", HERE / "coco_masks.json", "segm"),
    }
    (HERE / "coco_expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
