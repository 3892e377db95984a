"""Two thousand pictures with thirty defects: the doctor is to find them all, and nothing else."""

from pathlib import Path

import cv2
import numpy as np

CLASSES = ("arch", "bridge", "column")
COUNT = 2000


def picture(seed: int, size: int = 64) -> np.ndarray:
    """Smooth clouds of random colours under a little noise, shape (size, size, 3), uint8."""
    rng = np.random.default_rng(seed)
    clouds = cv2.resize(rng.normal(0, 1, (6, 6, 3)), (size, size), interpolation=cv2.INTER_CUBIC)
    pixels = 120 + rng.normal(0, 8) + rng.uniform(30, 40) * clouds + rng.normal(0, 6, clouds.shape)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def write_planted(folder: Path) -> dict[str, set[frozenset[str]]]:
    """Write `images/` and `table.csv` (path, label, split, patient).

    Returns:
        The planted defects by kind, each as the names that a finding has to give.
    """
    (folder / "images").mkdir(parents=True)
    rows = []
    for at in range(COUNT):
        # 14 of 20 train, and 3 each are valid and test; patients have two pictures of one split
        split = ("train",) * 14 + ("valid",) * 3 + ("test",) * 3
        half = at // 2
        rows.append([f"images/{at:04d}.png", CLASSES[at % 3], split[half % 20], f"p{half:04d}"])
    pixels = {at: picture(at) for at in range(COUNT)}
    own = {
        word: [at for at in range(COUNT) if rows[at][2] == word]
        for word in ("train", "valid", "test")
    }
    free = {word: iter(places[40:]) for word, places in own.items()}  # never the first file
    planted: dict[str, set[frozenset[str]]] = {}

    def plant(kind: str, *places: int) -> None:
        planted.setdefault(kind, set()).add(frozenset(rows[at][0] for at in places))

    def take(word: str, like: int | None = None) -> int:
        return next(at for at in free[word] if like is None or rows[at][1] == rows[like][1])

    broken = [0, take("valid"), take("test")]  # the very first one, too
    for at in broken:
        plant("unreadable", at)
    for value in (0, 255, 77):
        pixels[at := take("train")] = np.full((64, 64, 3), value, np.uint8)
        plant("constant", at)
    for _ in range(2):
        pixels[at := take("train")] = np.random.default_rng(at).integers(
            0, 2, (64, 64, 3), np.uint8
        )
        plant("value range", at)
    for size in (17, 640):
        pixels[at := take("train")] = picture(at, size)
        plant("outlier", at)
    pixels[at := take("train")] = 205 + picture(at) // 6  # overexposed
    plant("outlier", at)
    for _ in range(2):
        one = take("train")
        pixels[other := take("train", one)] = pixels[one]
        plant("duplicate", one, other)
    for _ in range(2):
        one = take("train")
        pixels[other := take("train", one)] = stored_again(pixels[one])
        plant("near duplicate", one, other)
    for change, words in (
        (np.copy, ("train", "test")),
        (np.copy, ("train", "valid")),
        (np.copy, ("valid", "test")),
        (stored_again, ("train", "test")),
        (stored_again, ("train", "valid")),
        (brighter, ("train", "test")),
        (np.fliplr, ("train", "test")),
        (np.fliplr, ("train", "valid")),
        (np.rot90, ("train", "test")),
    ):
        one = take(words[0])
        pixels[other := take(words[1], one)] = change(pixels[one])
        plant("leakage", one, other)
    for _ in range(2):
        one = take("train")
        other = next(at for at in free["train"] if rows[at][1] != rows[one][1])
        pixels[other] = pixels[one]
        plant("contradiction", one, other)
    for word in ("valid", "test"):
        one, _, other = take("train"), take("train"), take(word)  # patients have two pictures
        rows[other][3] = rows[one][3]
        planted.setdefault("group", set()).add(frozenset([rows[one][3]]))
    rows[take("train")][1] = rows[take("train")][1] = "dome"
    planted["rare label"] = {frozenset(["dome"])}
    for _ in range(40):
        rows[take("train")][1] = "exedra"
    planted["missing label"] = {frozenset(["exedra"])}
    planted["class balance"] = {frozenset(["exedra"])}
    for at, image in pixels.items():
        cv2.imwrite(str(folder / rows[at][0]), image)
    for at, keep in zip(broken, (0, 100, -60), strict=True):
        file = folder / rows[at][0]
        file.write_bytes(file.read_bytes()[:keep])
    lines = ["path,label,split,patient", *(",".join(row) for row in rows)]
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    return planted


def stored_again(pixels: np.ndarray) -> np.ndarray:
    """As a JPEG of middling quality, and back."""
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 60])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def brighter(pixels: np.ndarray) -> np.ndarray:
    """Every value a tenth higher, and 12."""
    return np.clip(pixels * 1.1 + 12, 0, 255).astype(np.uint8)
