#!/usr/bin/env python3
"""Average precision of random detections by Gradeline, pycocotools and faster-coco-eval, turn by turn: medians of
seconds and CPU seconds, ratios, and whether the numbers agree.

    ninja -C build/release detection_bench && tests/bench/detection.py [--images 5000] [--rounds 5] [--binary FILE]

Peers that are not installed are left out. What is timed begins with arrays (Gradeline) or with loaded and indexed COCO
objects (peers: evaluate, accumulate, summarize; their loading is not counted) and ends with the twelve numbers.
Gradeline takes one thread, the peers what they take.
"""

import argparse
import contextlib
import io
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

import numpy as np

BINARY = pathlib.Path(__file__).resolve().parents[2] / "build/release/bin/detection_bench"
NUMBERS = ["ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large"]


def random_case(images: int, classes: int, detections: int, seed: int) -> dict[str, np.ndarray]:
    """About seven targets per image in sizes of all ranges; a quarter of the detections near one, the rest anywhere."""
    r = np.random.default_rng(seed)
    target_images = np.repeat(np.arange(images), r.poisson(7.3, images))
    count = len(target_images)
    size = np.exp(r.normal(4, 1, (count, 2))).clip(2, 600)
    target_boxes = np.concatenate([r.uniform(0, 400, (count, 2)), size], 1).round(2)
    target_classes = r.integers(1, classes + 1, count)
    first = np.searchsorted(target_images, np.arange(images))
    own = np.bincount(target_images, minlength=images)
    found_images = np.repeat(np.arange(images), detections)
    total = len(found_images)
    near = (r.random(total) < 0.25) & (own[found_images] > 0)
    which = (first[found_images] + (r.random(total) * own[found_images]).astype(int)).clip(0, count - 1)
    boxes = np.concatenate([r.uniform(0, 400, (total, 2)), np.exp(r.normal(4, 1, (total, 2))).clip(2, 600)], 1)
    shift = r.normal(0, 0.08, (total, 4)) * np.tile(target_boxes[which, 2:], 2)
    boxes = np.where(near[:, None], target_boxes[which] + shift, boxes).round(2)
    boxes[:, 2:] = boxes[:, 2:].clip(1)
    found_classes = np.where(near & (r.random(total) < 0.9), target_classes[which], r.integers(1, classes + 1, total))
    scores = (r.random(total) * np.where(near, 1, 0.6)).astype(np.float32).astype(np.float64)
    return {
        "boxes.f64": boxes, "scores.f64": scores, "classes.i64": found_classes, "images.i64": found_images,
        "target_boxes.f64": target_boxes, "target_classes.i64": target_classes, "target_images.i64": target_images,
        "target_crowd.u8": (r.random(count) < 0.01).astype(np.uint8), "target_area.f64": target_boxes[:, 2] * target_boxes[:, 3] * 0.7,
    }


def write(case: dict[str, np.ndarray], folder: str) -> None:
    types = {"f64": np.float64, "i64": np.int64, "u8": np.uint8}
    for name, values in case.items():
        np.ascontiguousarray(values, types[name.rpartition(".")[2]]).tofile(pathlib.Path(folder) / name)


def load_peer(coco_class, case: dict[str, np.ndarray], images: int, classes: int):
    """COCO objects of targets and detections."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco_class()
        truth.dataset = {
            "info": {}, "images": [{"id": i, "width": 1000, "height": 1000} for i in range(images)],
            "categories": [{"id": c, "name": str(c)} for c in range(1, classes + 1)],
            "annotations": [
                {"id": n + 1, "image_id": int(i), "category_id": int(c), "bbox": list(map(float, b)), "area": float(a), "iscrowd": int(k)}
                for n, (i, c, b, a, k) in enumerate(zip(case["target_images.i64"], case["target_classes.i64"], case["target_boxes.f64"],
                                                        case["target_area.f64"], case["target_crowd.u8"]))],
        }
        truth.createIndex()
        rows = [{"image_id": int(i), "category_id": int(c), "bbox": list(map(float, b)), "score": float(s)}
                for i, c, b, s in zip(case["images.i64"], case["classes.i64"], case["boxes.f64"], case["scores.f64"])]
        return truth, truth.loadRes(rows)


def peers(case, images, classes):
    """What to call by name: (evaluating class, targets, detections)."""
    found = {}
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
        found["pycocotools"] = (COCOeval, *load_peer(COCO, case, images, classes))
    except ImportError:
        print("pycocotools is not installed")
    try:
        from faster_coco_eval import COCO as FastCoco, COCOeval_faster
        found["faster-coco-eval"] = (COCOeval_faster, *load_peer(FastCoco, case, images, classes))
    except ImportError:
        print("faster-coco-eval is not installed")
    return found


def run_peer(eval_class, truth, found) -> tuple[float, float, list[float]]:
    with contextlib.redirect_stdout(io.StringIO()):
        begin, cpu = time.monotonic(), time.process_time()
        run = eval_class(truth, found, "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
        return time.monotonic() - begin, time.process_time() - cpu, [float(v) for v in run.stats[:12]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--classes", type=int, default=80)
    parser.add_argument("--detections", type=int, default=100, help="per image")
    parser.add_argument("--batch", type=int, default=32, help="images per batch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--binary", default=str(BINARY))
    asked = parser.parse_args()
    case = random_case(asked.images, asked.classes, asked.detections, asked.seed)
    times: dict[str, list[tuple[float, float]]] = {}
    worst: dict[str, float] = {}
    others = peers(case, asked.images, asked.classes)
    with tempfile.TemporaryDirectory() as folder:
        write(case, folder)
        for number in range(asked.rounds):
            own = json.loads(subprocess.run([asked.binary, folder, str(asked.batch)], check=True, capture_output=True).stdout)
            assert own["same"], "records merged come to another result"
            for what in ("one sum", "records merged"):
                times.setdefault(f"Gradeline, {what}", []).append(tuple(own[what]))
            for name, peer in list(others.items())[:: 1 if number % 2 == 0 else -1]:
                seconds, cpu, stats = run_peer(*peer)
                times.setdefault(name, []).append((seconds, cpu))
                worst[name] = max(abs(own.get(key, -1) - theirs) for key, theirs in zip(NUMBERS, stats))
    print(f"{asked.images} images, {asked.classes} classes, {len(case['scores.f64'])} detections, {len(case['target_crowd.u8'])} "
          f"targets; {asked.rounds} rounds; AP {own['ap']:.4f}; {own['record_bytes'] / asked.images:.0f} bytes per image in records of "
          f"{asked.batch}")
    print("| | seconds: median [least, most] | CPU seconds | times one sum | worst difference |\n|---|---|---|---|---|")
    base = statistics.median(seconds for seconds, _ in times["Gradeline, one sum"])
    for name, rounds in times.items():
        seconds = [s for s, _ in rounds]
        difference = f"{worst[name]:.1g}" if name in worst else ""
        print(f"| {name} | {statistics.median(seconds):.3f} [{min(seconds):.3f}, {max(seconds):.3f}] | "
              f"{statistics.median(cpu for _, cpu in rounds):.3f} | {statistics.median(seconds) / base:.1f} | {difference} |")
    if any(difference > 1e-12 for difference in worst.values()):
        raise SystemExit("the numbers differ by more than 1e-12")


if __name__ == "__main__":
    main()
