"""Answers of a run's model to a request: files or arrays in, names in place of numbers out."""

from __future__ import annotations

import base64
import binascii
import io
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np
import pandas as pd
import soundfile
import tifffile

from reprise.config.parameters import find_target
from reprise.datasets.images.files import read_header
from reprise.datasets.sound.unlabelled import SoundWindows
from reprise.errors import UserError
from reprise.runs.load import SavedRun
from reprise.runs.predict_masks import Masks, areas, tile_of
from reprise.runs.predict_sound import detections, read_thresholds
from reprise.runs.predictor import open_predictor

if TYPE_CHECKING:
    from reprise.datasets.base import Dataset

Kind = Literal["image", "sound", "row", "array"]
MAX_PIXELS = 50_000_000  # of a picture: a file of 100 KB can unfold to gigabytes


class Answers:
    """Answers requests; safe to call from several threads, of which one at a time has the model.

    Args:
        saved: The run.

    Attributes:
        kind: What a cell of a request's table is: an encoded `image` or `sound`, in base64, or
            their pixels or samples in lists; a `row` of numbers; or an `array` in lists.
        columns: Of a request's table.
    """

    def __init__(self, saved: SavedRun) -> None:
        self._predictor, self._config = open_predictor(saved), saved.config
        self.kind, self.columns = kind_of(saved), columns_of(saved)
        self._model = threading.Lock()

    def __call__(self, table: pd.DataFrame) -> list[dict[str, Any]]:
        """Answer each row of a table.

        Returns:
            Of each row a dict. One class: `class` and `probabilities` by name. Labels: `labels`
            and `probabilities`. A mask: `mask`, a PNG in base64 of the picture's own size, and
            `height`, `width`, and the `pixels` of each class. A sound: `detections`, dicts with
            start and end in seconds, class and score. Values: `values`, by name if they have any.

        Raises:
            UserError: something cannot be read; the message says which.
        """
        if not len(table):
            raise UserError("there is nothing to answer", "one row at least", "none", "send some")
        if self.kind == "array":
            return self._named(np.stack([self._array(cell) for cell in table["array"]]))
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            try:
                if self.kind == "row":
                    file = folder / "rows.csv"
                    table[self.columns].to_csv(file, index=False)
                    inputs = self._predictor.inputs([str(file)])
                    return self._named(_all_of(inputs))
                given = [
                    self._written(cell, folder / f"{self.kind}_{at}")
                    for at, cell in enumerate(table[self.kind])
                ]
                inputs = self._predictor.inputs([str(file) for file in given])
                if self.kind == "image":
                    _require_small(given)
                if isinstance(inputs, SoundWindows):
                    return self._heard(inputs, [file.name for file in given])
                if self._predictor.target_spec.kind == "mask":
                    return self._masks(inputs, folder)
                return self._named(_all_of(inputs))
            except UserError as error:
                raise UserError(*(text.replace(f"{name}/", "") for text in error.args)) from None

    def _named(self, x: np.ndarray) -> list[dict[str, Any]]:
        """Answers to ready inputs, with the names of classes or values."""
        predictor, spec = self._predictor, self._predictor.target_spec
        size = max(1, int(self._config["loader"]["batch_size"]))
        with self._model:
            parts = [predictor(x[at : at + size]) for at in range(0, len(x), size)]
        answers = np.concatenate(parts)
        predictor.require_finite(answers)
        if not spec.classes:
            return [{"values": _values(row, spec.names)} for row in answers]
        if spec.kind == "mask":
            ids = predictor.decide(answers).reshape(answers.shape[:3]).astype(np.uint8)
            return [{"mask": _png(one)} for one in ids]
        shares = [dict(zip(spec.classes, row.tolist(), strict=True)) for row in answers]
        decided = predictor.decide(answers)
        names = np.array([*spec.classes, ""], object)  # -1: none is certain
        if spec.kind == "class":
            said: list[dict[str, Any]] = [{"class": names[at] or None} for at in decided]
        else:
            said = [{"labels": names[:-1][row.astype(bool)].tolist()} for row in decided]
        return [one | {"probabilities": own} for one, own in zip(said, shares, strict=True)]

    def _masks(self, inputs: Dataset, folder: Path) -> list[dict[str, Any]]:
        """Masks of pictures' own sizes, as predict writes them."""
        names = [str(at) for at in range(len(inputs))]
        with self._model:
            masks = Masks(
                self._predictor,
                inputs,
                names,
                folder,
                tile=tile_of(self._predictor, ""),
                batch_size=int(self._config["loader"]["batch_size"]),
            )
            try:
                pictures = ((at, inputs.read(at, None)[0]) for at in range(len(inputs)))
                answers = masks((np.array([at]), one[None]) for at, one in pictures)
                rows = [row for _, rows in answers for row in rows]
            finally:
                masks.close()
        found = areas(masks.classes, np.stack(rows))
        return [
            {
                "mask": base64.b64encode((folder / f"masks/{at}.png").read_bytes()).decode(),
                "height": int(found["height"][at]),
                "width": int(found["width"][at]),
                "pixels": {name: int(found[f"pixels_{name}"][at]) for name in masks.classes},
            }
            for at in range(len(inputs))
        ]

    def _heard(self, windows: SoundWindows, names: Sequence[str]) -> list[dict[str, Any]]:
        """Detections in recordings, or the values of each window."""
        spec, size = self._predictor.target_spec, int(self._config["loader"]["batch_size"])
        found = []
        for at in range(0, len(windows), size):
            some = range(at, min(at + size, len(windows)))
            x = np.stack([windows.read_input(index) for index in some])
            with self._model:
                found.append(self._predictor(x))
        scores = np.concatenate(found)
        self._predictor.require_finite(scores)
        if not spec.classes:
            table = pd.DataFrame(windows.came_in())
            table["values"] = [_values(row, spec.names) for row in scores]
        else:
            limits = read_thresholds("", spec.classes, self._predictor.limits.tolist())
            table = detections(windows, scores, spec.classes, limits, 0.0)
        rows = table.to_dict("records")
        own = windows.came_in()["file"]
        short = dict(zip(dict.fromkeys(own), names, strict=True))
        return [
            {
                "detections": [
                    {key: value for key, value in row.items() if key != "file"}
                    for row in rows
                    if short[row["file"]] == name
                ]
            }
            for name in names
        ]

    def _written(self, cell: Any, path: Path) -> Path:
        """A cell of a request as a file."""
        if isinstance(cell, np.ndarray) and cell.size == 1 and cell.dtype.kind in "UO":
            cell = cell.item()  # of `inputs`, another form of MLflow's requests
        if isinstance(cell, str):
            text = cell.partition(",")[2] if cell.startswith("data:") else cell
            try:
                path.write_bytes(base64.b64decode("".join(text.split()), validate=True))
            except (binascii.Error, ValueError) as error:
                raise self._odd(path.name, f"a text that is no base64: {error}") from None
        elif self.kind == "sound":
            rate = int(self._config["dataset"].get("sample_rate", 22050))
            sound = self._numbers(cell, path.name, 1, np.dtype(np.float32))
            soundfile.write(path, sound, rate, "FLOAT", format="WAV")
        else:
            spec = self._predictor.input_spec
            pixels = self._numbers(cell, path.name, 3, np.dtype(spec.dtype))
            if pixels.shape[2] != spec.shape[2]:
                raise self._odd(path.name, f"{pixels.shape[2]} channels, not {spec.shape[2]}")
            colour = "rgb" if pixels.shape[2] == 3 else "minisblack"
            tifffile.imwrite(path, pixels, photometric=colour, planarconfig="contig")
        return path

    def _array(self, cell: Any) -> np.ndarray:
        spec = self._predictor.input_spec
        if np.ndim(cell) == len(spec.shape) - 1 and spec.shape[-1:] == (1,):
            cell = np.expand_dims(cell, -1)
        x = self._numbers(cell, "array", len(spec.shape), np.dtype(spec.dtype))
        if x.shape != tuple(spec.shape):
            raise self._odd("array", f"shape {x.shape}")
        return x

    def _numbers(self, cell: Any, name: str, ndim: int, dtype: np.dtype) -> np.ndarray:
        """Lists, within lists, as an array of a dtype that holds all of their numbers."""
        try:
            if isinstance(cell, np.ndarray):  # of lists, as MLflow makes it
                cell = cell.tolist()
            x = np.asarray(cell)
            with np.errstate(invalid="ignore", over="ignore"):
                made = x.astype(dtype)
        except (TypeError, ValueError, OverflowError) as error:
            raise self._odd(name, str(error)) from None
        is_lossy = dtype.kind == "u" and (x.dtype.kind not in "iub" or (made != x).any())
        if made.ndim != ndim or not made.size or is_lossy or not np.isfinite(made).all():
            span = f", from {x.min()} to {x.max()}" if x.size and x.dtype.kind in "iuf" else ""
            raise self._odd(name, f"shape {x.shape}, {x.dtype}{span}")
        return made

    def _odd(self, name: str, received: str) -> UserError:
        spec = self._predictor.input_spec
        expected = {
            "image": f"a PNG, JPEG or TIFF file in base64, or {spec.dtype} pixels in lists, of "
            f"shape (height, width, {spec.shape[-1]})",
            "sound": "a WAV, FLAC, OGG or MP3 file in base64, or a list of samples from -1 to 1",
        }
        arrays = f"finite numbers ({spec.dtype}) in lists, of shape {spec.shape}"
        expected_now = expected.get(self.kind, arrays)
        return UserError(f"{name} cannot be read", expected_now, received, "correct the request")


def _require_small(paths: Sequence[Path]) -> None:
    for path in paths:
        header = read_header(path)
        if header.height * header.width > MAX_PIXELS:
            raise UserError(
                f"{path} is too large",
                f"at most {MAX_PIXELS:,} pixels",
                f"{header.height} by {header.width}",
                "send parts of it, or use make predict, which has no limit",
            )


def _all_of(inputs: Dataset) -> np.ndarray:
    return np.stack([inputs.read(at, None)[0] for at in range(len(inputs))])


def kind_of(saved: SavedRun) -> Kind:
    """What a request to a run's model holds for an input."""
    node: Mapping[str, Any] = saved.config["dataset"]
    if isinstance(node.get("source"), Mapping) and "_target_" in node["source"]:
        node = node["source"]
    kind: Kind = getattr(find_target(str(node["_target_"])), "request", "array")
    return kind if kind != "row" or columns_of(saved, "row") else "array"


def columns_of(saved: SavedRun, kind: str = "") -> list[str]:
    """Columns of a request's table."""
    kind = kind or kind_of(saved)
    names = saved.specs["input"].names or saved.config["dataset"].get("columns") or ()
    return list(names) if kind == "row" else [kind]


def example(saved: SavedRun) -> pd.DataFrame:
    """A request that the model answers: zeros, silence, or the mean row."""
    kind, spec = kind_of(saved), saved.specs["input"]
    if kind == "row":
        means = spec.offset or (0.0,) * len(columns_of(saved))
        return pd.DataFrame([dict(zip(columns_of(saved), means, strict=True))])
    cell: Any = np.zeros(spec.shape, spec.dtype).tolist()
    if kind == "image" and spec.shape[2] in (1, 3):
        cell = _png(np.zeros(spec.shape, spec.dtype))
    elif kind == "sound":
        node, sound = saved.config["dataset"], io.BytesIO()
        rate = int(node.get("sample_rate", 22050))
        soundfile.write(sound, np.zeros(round(node["window_s"] * rate)), rate, format="FLAC")
        cell = base64.b64encode(sound.getvalue()).decode()
    return pd.DataFrame({kind: [cell]})


def _values(row: np.ndarray, names: Sequence[str]) -> Any:
    if row.ndim <= 1 and len(names) == row.size:
        return dict(zip(names, row.ravel().tolist(), strict=True))
    return row.tolist()


def _png(pixels: np.ndarray) -> str:
    return base64.b64encode(cv2.imencode(".png", pixels)[1].tobytes()).decode()
