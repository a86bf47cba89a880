"""Makes COCO annotation files of any size: the same seed and size give the same file. Run it as

    python3 tests/cli/coco.py --bytes 500000000 --seed 1 big.json
"""

import argparse
import json
import random

CLASSES = 80
SEGMENT_POINTS = (8, 120)  # of a polygon; annotations of COCO itself take about 500 bytes each


def categories(count=CLASSES):
    # Ids with gaps, as COCO's are.
    return [{"id": 1 + i + i // 10, "name": f"class {i:02}", "supercategory": f"kind {i // 10}"} for i in range(count)]


def image(number):
    return {"id": number * 7 + 1, "file_name": f"{number:012}.jpg", "width": 640, "height": 480, "license": 1}


def annotation(number, image_id, category_id, random_source):
    """One of a polygon, or, one in a hundred, of a crowd."""
    x, y, w, h = (round(random_source.uniform(0, 320), 2) for _ in range(4))
    crowd = random_source.random() < 0.01
    if crowd:
        segmentation = {"counts": [random_source.randrange(1, 500) for _ in range(40)], "size": [480, 640]}
    else:
        points = random_source.randrange(*SEGMENT_POINTS)
        segmentation = [[round(random_source.uniform(0, 640), 2) for _ in range(2 * points)]]
    return {"id": number, "image_id": image_id, "category_id": category_id, "bbox": [x, y, w, h], "area": round(w * h, 2),
            "iscrowd": int(crowd), "segmentation": segmentation}


def write(path, size, seed=0):
    """A file of at least `size` bytes; gives the numbers of images and annotations."""
    random_source = random.Random(seed)
    kinds = categories()
    weights = [1 / (1 + i) for i in range(len(kinds))]  # few classes are common
    images = annotations = 0
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"info": {"description": "made by tests/cli/coco.py"}, "licenses": [], "annotations": [')
        while file.tell() < size or images == 0:
            chosen = random_source.choices(kinds, weights, k=random_source.randrange(0, 15))
            for kind in chosen:
                file.write(("" if annotations == 0 else ", ") + json.dumps(annotation(annotations, images * 7 + 1, kind["id"], random_source)))
                annotations += 1
            images += 1
        file.write("], " + f'"categories": {json.dumps(kinds)}, "images": [')
        for number in range(images):
            file.write(("" if number == 0 else ", ") + json.dumps(image(number)))
        file.write("]}")
    return images, annotations


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Makes a COCO annotation file.")
    parser.add_argument("path")
    parser.add_argument("--bytes", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print("%d images, %d annotations" % write(given.path, given.bytes, given.seed))
