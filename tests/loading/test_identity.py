"""Every dataset of conf/dataset gives the same bytes whoever makes them and wherever one starts.

What each batch must hold is taken from the loader without workers; that this one keeps its own
promise (which samples, which randomness) is written out in test_loader and test_streaming.
"""

import itertools
import multiprocessing
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from shipped import CONF

from reprise.loading.loader import Loader
from reprise.runs.experiment import build_dataset

FOLDER = Path(__file__).parents[2] / "conf" / "dataset"
NAMES = CONF["dataset"]
METHODS = ["forkserver", "spawn"]
ENGINES = [(0, "caller")]
ENGINES += list(itertools.product((1, 2, 4), ("threads", *METHODS)))
PASSES = 2


def tiny_dataset(name: str, folder: Path) -> Any:
    """The dataset of conf/dataset/NAME.yaml on the data that `tiny` of its own test makes."""
    tiny: dict[str, Any] = import_module(f"datasets.test_{name}").tiny(folder)
    file = OmegaConf.load(FOLDER / f"{name}.yaml")
    return build_dataset(OmegaConf.to_container(OmegaConf.merge(file, tiny)))


@pytest.fixture
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Loader]:
    """Makes loaders of a fresh copy of a tiny dataset."""
    dataset = tiny_dataset(request.param, tmp_path)
    pickled = pickle.dumps((dataset, dataset.splits()))

    def make(split: str, workers: int, engine: str) -> Loader:
        multiprocessing.set_start_method(engine if engine in METHODS else None, force=True)
        copy, splits = pickle.loads(pickled)
        processes = engine in METHODS
        keys: dict[str, Any] = {"workers": workers, "use_multiprocessing": processes}
        return Loader(copy, splits[split], split=split, seed=5, batch_size=3, **keys)

    return make


def hashes(loader: Loader, start: int, stop: int) -> list[str]:
    """One for each batch from `start` up to `stop`."""
    return [
        sha256(b"".join(f"{a.shape}{a.dtype}".encode() + a.tobytes() for a in batch)).hexdigest()
        for batch in loader.batches(start, stop)
    ]


def promised(fresh: Callable[..., Loader], split: str) -> list[str]:
    with fresh(split, 0, "caller") as loader:
        steps = loader.steps_per_pass
        whole = hashes(loader, 0, PASSES * steps)
    assert (len(set(whole)) > steps) == (split == "train")  # shuffled and changed anew, or never
    return whole


QUICK = [(0, "caller"), (2, "threads"), (2, "forkserver")]


@pytest.mark.parametrize(
    ("split", "engines"),
    [
        ("train", QUICK),
        pytest.param("train", ENGINES, marks=pytest.mark.slow),
        pytest.param("valid", ENGINES, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("fresh", NAMES, indirect=True)
def test_same_bytes_whoever_makes_them_from_any_start(fresh, split, engines):
    whole = promised(fresh, split)
    for start, (workers, engine) in itertools.product(range(len(whole)), engines):
        if engines is QUICK and engine == "forkserver" and start != 1:
            continue  # test_contract has more of them
        with fresh(split, workers, engine) as loader:
            assert hashes(loader, start, len(whole)) == whole[start:], (start, workers, engine)
            made_by = " ".join(loader.producers)
        assert {"caller": "this process", "threads": "thread"}.get(engine, "process") in made_by


@pytest.mark.parametrize("name", NAMES)
def test_no_dataset_imports_anything_heavy(name: str, tmp_path: Path) -> None:
    """In a fresh process, as a worker is one; test_loader has what a worker itself imports."""
    path = tmp_path / "dataset.pickle"
    path.write_bytes(pickle.dumps(tiny_dataset(name, tmp_path)))
    code = (
        "import pickle, sys, numpy as np\n"
        "dataset = pickle.load(open(sys.argv[1], 'rb'))\n"
        "train = dataset.splits()['train']\n"
        "if hasattr(train, 'source'): next(iter(train.source.samples(0)))\n"
        "else: dataset.read_many(train[:3], [np.random.default_rng(at) for at in range(3)])\n"
        "print({'tensorflow', 'keras', 'mlflow'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, str(path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr
