"""`make predict` beside `model.predict` on ready arrays: `python -m scripts.bench.predict QUICK`.

Prints JSON, by kind: `ready_per_s`, inputs a second that Keras's own `predict` answers, which lie
in memory as the model takes them; `predict_per_s`, those of `make predict`, which reads files and
writes answers; `ratio`, the median of the rounds' ratios, each of two measurements that follow one
another; `cpu_ratio`, the same of their processor times, which other programs disturb less; and
`start_s`, what a prediction of one batch takes. A rate is that of what many inputs take longer than
one batch does, so that loading the model and starting workers is not in it.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import psutil

from scripts.bench import data

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

Found = dict[str, float]
Times = np.ndarray  # seconds by the clock, and of processors


@dataclass(frozen=True)
class Kind:
    """What is measured.

    Args:
        experiment: That is trained on some of the inputs, for a moment.
        words: Of its config; `{}` is the folder of the data.
        write: Makes the data in a folder, so many inputs, and names what is to be answered.
        count: Inputs, in full and in quick mode.
        few: Inputs of the short measurement.
        ready: Inputs of `model.predict` for each input: tiles of a picture.
    """

    experiment: str
    words: tuple[str, ...]
    write: Callable[[Path, int], Path]
    count: tuple[int, int]
    few: int
    ready: int = 1


def pictures(folder: Path, count: int, side: int = 256) -> Path:
    """JPEG pictures in folders of two classes, and beside them masks of some."""
    data.write_images(folder / "own", 16)
    for number in range(count):
        pixels: Any = cv2.imread(str(folder / f"own/images/{number % 16:04d}.jpg"))
        pixels = np.roll(pixels[:side, :side], number, 1)
        path = folder / f"classes/{number % 2}/{number:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return folder / "classes"


def mosaics(folder: Path, count: int) -> Path:
    """The same, of four times the size."""
    return pictures(folder, count, 512)


def table(folder: Path, count: int) -> Path:
    """Lines of four numbers."""
    data.write_csv(folder, count)
    return folder / "rows.csv"


MASKS = ("dataset.images={}/own/images", "dataset.masks={}/own/masks", "dataset.fit=crop")
KINDS = {
    "classes": Kind(
        "folder",
        ("dataset.folder={}/classes", "dataset.image_size=[256,256]", "dataset.channels=3"),
        pictures, (1200, 160), 16,
    ),
    "masks": Kind("segmentation", (*MASKS, "dataset.image_size=[256,256]"), pictures, (240, 24), 8),
    "tiles": Kind(
        "segmentation", (*MASKS, "dataset.image_size=[256,256]"), mosaics, (30, 4), 1, ready=9
    ),
    "rows": Kind(
        "iris_rows", ("dataset.table={}/rows.csv", "loader.batch_size=4096"),
        table, (1_000_000, 200_000), 1024,
    ),
}  # fmt: skip


def main(quick: str, workers: str = "") -> None:
    """Measure all kinds and print."""
    from reprise.project import ROOT

    os.chdir(ROOT)
    is_quick = quick == "true"
    found: dict[str, Any] = {}
    with TemporaryDirectory(prefix="reprise-bench-") as scratch:
        for name, kind in KINDS.items():
            folder = Path(scratch) / name
            found[name] = _measured(kind, folder, kind.count[is_quick], 1 if is_quick else 5)
    print(json.dumps(found))


def _measured(kind: Kind, folder: Path, count: int, repeats: int) -> Found:
    from reprise.runs.load import find
    from reprise.runs.predict import Options, predict
    from reprise.runs.predictor import open_predictor

    every = kind.write(folder / "data", count)
    saved = find("last", _trained(kind, folder))
    few = _few(every, kind.few, folder / "few")
    predictor = open_predictor(saved)
    ready = _ready(predictor, every, kind)
    batch = 1024 if kind.experiment == "iris_rows" else saved.config["loader"]["batch_size"]

    def ours(given: Path) -> Times:
        out, began = folder / f"out{time.monotonic_ns()}", _now()
        with contextlib.redirect_stderr(io.StringIO()):
            done = predict(saved, [str(given)], str(out), Options())
        assert not done.problems
        return _now() - began

    def keras() -> Times:
        began = _now()
        for _ in range(rounds):
            predictor.model.predict(ready, batch_size=batch, verbose=0)
        return _now() - began

    ours(few)  # first calls
    predictor.model.predict(ready, batch_size=batch, verbose=0)
    start = np.median([ours(few) for _ in range(3)], axis=0)
    rounds = -(-count * kind.ready // len(ready))
    pairs = [
        (rounds * len(ready) / kind.ready / keras(), (count - kind.few) / (ours(every) - start))
        for _ in range(repeats)
    ]
    ratio, cpu_ratio = np.median([own / other for other, own in pairs], axis=0)
    ready_per_s, predict_per_s = np.median(pairs, axis=0)[:, 0]
    return {
        "ready_per_s": round(ready_per_s, 1),
        "predict_per_s": round(predict_per_s, 1),
        "ratio": round(ratio, 3),
        "cpu_ratio": round(cpu_ratio, 3),
        "start_s": round(start[0], 2),
    }


def _now() -> Times:
    """The clock, and processor time of this process and its children, ended ones among them."""
    own = psutil.Process()
    used = [sum(one.cpu_times()[:4]) for one in (own, *own.children(recursive=True))]
    return np.array([time.perf_counter(), sum(used)])


def _trained(kind: Kind, folder: Path) -> Path:
    """Train for an epoch; the folder of runs."""
    words = [f"experiment={kind.experiment}", "trainer.epochs=1", f"tracking.runs={folder}/runs"]
    words += [f"tracking.uri=sqlite:///{folder}/mlflow.db"]
    words += [word.format(folder / "data") for word in kind.words]
    command = [sys.executable, "-m", "reprise", "train", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return folder / "runs"


def _few(every: Path, count: int, folder: Path) -> Path:
    """The first of the inputs."""
    folder.mkdir()
    if every.is_file():
        with every.open() as lines, (folder / every.name).open("w") as file:
            file.writelines(line for line, _ in zip(lines, range(count + 1), strict=False))
        return folder / every.name
    for path in sorted(every.rglob("*.jpg"))[:count]:
        (folder / path.name).symlink_to(path)
    return folder


def _ready(predictor: Any, every: Path, kind: Kind) -> np.ndarray:
    """Inputs as the model takes them, at most 300 pictures."""
    inputs = predictor.inputs([str(every)])
    if inputs.in_memory:
        return inputs.read_many(np.arange(len(inputs)), [None] * len(inputs))[0]
    some = [inputs.read(at, None)[0] for at in range(min(300, len(inputs)))]
    if kind.ready > 1:
        from reprise.transforms.tiles import places

        size = predictor.input_spec.shape[0]
        some = [
            one[top : top + size, left : left + size]
            for one in some
            for top, left in places(one.shape, (size, size))
        ]
    return np.stack(some)


if __name__ == "__main__":
    main(*sys.argv[1:])
