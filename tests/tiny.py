"""Tiny data and the command line, for the tests that take the whole road."""

import atexit
import io
import shutil
import subprocess
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np

from reprise.cli.main import main

ROOT = Path(__file__).parents[1]


def write_blobs(folder: Path, count: int = 20, size: int = 64) -> Path:
    """Write `count` noisy images with a bright blob, and binary masks of the blobs."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for index in range(count):
        rng = np.random.default_rng(index)
        mask = np.zeros((size, size), np.uint8)
        centre = tuple(int(value) for value in rng.integers(size // 4, 3 * size // 4, 2))
        cv2.circle(mask, centre, size // 5, 255, -1)
        image = rng.integers(0, 120, (size, size, 3)).astype(np.uint8)
        image[mask > 0] += 120
        cv2.imwrite(str(folder / "images" / f"{index:03d}.png"), image)
        cv2.imwrite(str(folder / "masks" / f"{index:03d}.png"), mask)
    return folder


def overrides(data: Path, out: Path) -> list[str]:
    """Words that train the segmentation experiment on `data` in seconds, recorded in `out`."""
    return [
        "experiment=segmentation",
        f"dataset.images={data}/images",
        f"dataset.masks={data}/masks",
        "dataset.image_size=[64,64]",
        *short(out),
    ]


def write_arrays(file: Path, count: int = 96, classes: int = 3, seed: int = 0) -> Path:
    """Write pictures of 16 by 16 whose brightness tells their class, as `x` and `y` of an .npz."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, count).astype(np.uint8)
    x = (rng.integers(0, 99, (count, 16, 16)) + 50 * y[:, None, None]).astype(np.uint8)
    np.savez(file, x=x, y=y)
    return file


def array_words(file: Path, out: Path) -> list[str]:
    """Words that train a small convolutional net with dropout on such arrays in seconds."""
    return [
        "experiment=digits",
        f"dataset.file={file}",
        *short(out),
        "trainer.pictures_every=null",
    ]


def short(out: Path) -> list[str]:
    """Words that make any experiment train for seconds, recorded in `out`."""
    return [
        "loader.batch_size=4",
        f"tracking.uri={new_store(out)}",
        f"tracking.runs={out}/runs",
        "trainer.epochs=2",
        "trainer.steps_per_epoch=2",
        "trainer.num_pictures=2",
    ]


def new_store(folder: Path) -> str:
    """Address of a tracking database in `folder`, a copy if it is new: MLflow takes seconds."""
    if not (folder / "mlflow.db").exists():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(_empty_store(), folder / "mlflow.db")
    return f"sqlite:///{folder}/mlflow.db"


@cache
def _empty_store() -> Path:
    from mlflow import MlflowClient

    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    MlflowClient(f"sqlite:///{folder}/mlflow.db").search_experiments(max_results=1)
    return folder / "mlflow.db"


def reprise(verb: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `reprise VERB WORD …` in this process, which has imported and set up TensorFlow once.

    Returns:
        As of a process: the exit code, and what was written to stdout and stderr.
    """
    out, err, code = io.StringIO(), io.StringIO(), 0
    command = ["reprise", verb, *words]
    with redirect_stdout(out), redirect_stderr(err), patch.object(sys, "argv", command):
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())


def call(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m reprise WORD …` in a folder, in a process of its own."""
    command = [sys.executable, "-m", "reprise", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)


def git(folder: Path, *words: str | Path) -> str:
    """What git says in a folder, to a user with a name."""
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always")
    command = ["git", "-C", folder, *who, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def refused(*words: str, out: Path) -> str:
    """What `train` says on stderr of a mistake: on one screen, in its three parts, without a run.

    Args:
        words: Overrides, those of `short(out)` among them.
        out: Where a run would have been recorded.
    """
    done = reprise("train", *words)
    assert done.returncode == 2, done.stdout + done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 24, done.stderr
    for row in ("expected", "received", "to do"):
        assert row in done.stderr
    assert not (out / "runs").exists(), "refused before there is a run"
    return done.stderr
