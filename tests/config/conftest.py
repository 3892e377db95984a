"""A small project of its own: a conf/ tree and the module that its targets name."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

import reprise
from reprise.config import files
from reprise.config.check import check
from reprise.errors import UserError

MODULE = """
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Interval, Len


class Pictures:
    def __init__(
        self,
        folder: Annotated[str, "folder"],
        *,
        size: Annotated[list[Annotated[int, Ge(1)]], Len(2, 2)],
        colors: dict[str, list[int]] | None = None,
        split: dict[str, Annotated[float, Ge(0)] | Annotated[str, "file"] | None] | None = None,
        weights: Literal["published"] | Annotated[str, "file"] | None = None,
        augment: Any = None,
    ) -> None: ...


def augment(*, rotation: Annotated[float, Ge(0)] = 0.0, flip: bool = False): ...


def net(
    input_spec: object,
    target_spec: object,
    *,
    width: Annotated[int, Ge(1)],
    kind: Literal["plain", "wide"] = "plain",
    drop: Annotated[float, Interval(ge=0, lt=1)] = 0.0,
    encoder_freeze: bool | Annotated[int, Ge(1)] = False,
): ...


def other_net(input_spec, target_spec, *, depth: "int" = 1): ...


@dataclass(frozen=True, kw_only=True)
class Trainer:
    shared: ClassVar[int] = 3
    epochs: Annotated[int, Ge(1)]
    monitor: str = "valid/loss"
    callbacks: list[Any] = field(default_factory=list)
    counted: int = field(init=False)


def loader(dataset, indices, *, split: str, seed: int, batch_size: Annotated[int, Ge(1)] = 8): ...


def anything(known: int = 1, **others: object): ...


class Inherits(Trainer):
    pass
"""

FILES = {
    "config.yaml": """
        defaults:
          - dataset: ???
          - model: ???
          - loader: default
          - trainer: default
          - _self_
          - experiment: null
          - debug: null
        seed: 0
        """,
    "dataset/pictures.yaml": """
        _target_: reprise.sample_parts.Pictures
        folder: ???
        size: [8, 8]
        colors: null
        split: null
        weights: null
        augment:
          _target_: reprise.sample_parts.augment
          rotation: 0.0
          flip: false
        """,
    "model/net.yaml": """
        _target_: reprise.sample_parts.net
        width: 4
        kind: plain
        drop: 0.0
        encoder_freeze: false
        """,
    "model/other_net.yaml": """
        _target_: reprise.sample_parts.other_net
        depth: 1
        """,
    "loader/default.yaml": """
        _target_: reprise.sample_parts.loader
        batch_size: 8
        """,
    "trainer/default.yaml": """
        _target_: reprise.sample_parts.Trainer
        epochs: 5
        monitor: valid/loss
        callbacks: []
        """,
    "sweep/grid.yaml": """
        num_trials: 4
        """,
    "experiment/pictures.yaml": """
        # @package _global_
        defaults:
          - override /dataset: pictures
          - override /model: net
        dataset:
          folder: data
        """,
    "debug/short.yaml": """
        # @package _global_
        trainer:
          epochs: 1
        """,
}


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The conf/ folder of the small project, without the engine's; `data/` stands beside it."""
    monkeypatch.setattr(files, "ENGINE_CONF", tmp_path / "conf")
    for name, text in FILES.items():
        write(tmp_path / "conf" / name, text)
    (tmp_path / "data").mkdir()
    (tmp_path / "sample_parts.py").write_text(MODULE)
    monkeypatch.setattr(reprise, "__path__", [*reprise.__path__, str(tmp_path)])
    return tmp_path / "conf"


@pytest.fixture
def message(conf: Path) -> Callable[..., str]:
    """Check a command line that has mistakes, and give the error's text."""

    def refused(*overrides: str, **options: object) -> str:
        with pytest.raises(UserError) as error:
            check(list(overrides), conf, **options)
        return str(error.value)

    return refused


@pytest.fixture
def experiment(conf: Path) -> Callable[[str], None]:
    """Append lines to the small project's experiment."""

    def append(text: str) -> None:
        path = conf / "experiment" / "pictures.yaml"
        path.write_text(path.read_text() + dedent(text))

    return append


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text).lstrip("\n"))
