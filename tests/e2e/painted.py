"""Small images with painted rectangles, and the COCO file that says where they are. Equal seeds, equal bytes."""

import json
import pathlib

import numpy as np

SIDE = 32
COLOURS = {"red": (220, 40, 40), "green": (40, 200, 60), "blue": (50, 60, 220), "yellow": (230, 210, 40)}


def paint(folder: pathlib.Path, count: int, seed: int) -> pathlib.Path:
    """Writes `count` binary PPM images, each with up to one rectangle of every colour; the COCO file's path."""
    random = np.random.default_rng(seed)
    images, annotations = [], []
    for number in range(count):
        pixels = random.integers(90, 130, (SIDE, SIDE, 3))
        for category, colour in enumerate(COLOURS.values(), start=1):
            if random.random() < 0.6:
                continue
            x, y = (int(v) for v in random.integers(0, SIDE - 10, 2))
            w, h = (int(v) for v in random.integers(6, 11, 2))
            pixels[y : y + h, x : x + w] = colour
            annotations.append(
                {"id": len(annotations), "image_id": number, "category_id": category, "bbox": [x, y, w, h]}
            )
        name = f"{number:04}.ppm"
        (folder / name).write_bytes(b"P6 %d %d 255\n" % (SIDE, SIDE) + pixels.astype(np.uint8).tobytes())
        images.append({"id": number, "file_name": name, "width": SIDE, "height": SIDE})
    categories = [{"id": i, "name": name} for i, name in enumerate(COLOURS, start=1)]
    path = folder / "instances.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


def read(path: pathlib.Path) -> np.ndarray:
    """[3, SIDE, SIDE], float32 in [0, 1]."""
    pixels = np.frombuffer(path.read_bytes()[-SIDE * SIDE * 3 :], np.uint8)
    return pixels.reshape(SIDE, SIDE, 3).transpose(2, 0, 1).astype(np.float32) / 255
