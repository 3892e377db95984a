"""Masks of the inputs' own sizes, from a segmentation model: whole pictures, or tiles of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np
from PIL import Image

from reprise.datasets.drawing import as_rgb, class_tints, tinted
from reprise.datasets.images.files import read_header
from reprise.datasets.images.unlabelled import Pictures
from reprise.errors import UserError
from reprise.files import replacing
from reprise.transforms.tiles import blended, enlarged, places

if TYPE_CHECKING:
    from reprise.datasets.base import Dataset
    from reprise.runs.predictor import Predictor

_WRITERS = 4  # threads: each picture's files are flushed to the disk
_PENDING, _HELD = 64, 100_000_000  # pictures, and values in them, that wait for their turn
_LARGEST = 16  # files by which the size of pictures is seen

Batch = tuple[np.ndarray, np.ndarray]
FOLDERS = ("masks", "probabilities", "overlays")
Probabilities = Literal["png", "npy"]


class Masks:
    """Writes a mask for each picture, and counts the pixels of each class.

    Args:
        predictor: Of a segmentation model.
        inputs: The pictures; of `Pictures` that are read in their own sizes, tiles are answered.
        names: What the files are called, without an ending, below folders of `folder`.
        folder: Gets `masks`, `probabilities` and `overlays`.
        tile: Height and width of a tile, in pixels.
        batch_size: Tiles answered at once.
        probabilities: 'png': 16 bits in a file for each class, 65535 being 1; 'npy': float32,
            shape (height, width, classes).
        overlay: Also write the picture under the colours of its classes.
    """

    def __init__(
        self,
        predictor: Predictor,
        inputs: Dataset,
        names: Sequence[str],
        folder: Path,
        *,
        tile: Sequence[int],
        batch_size: int,
        probabilities: Probabilities | None = None,
        overlay: bool = False,
    ) -> None:
        self._predictor, self._names, self._folder = predictor, names, folder
        self._tile, self._batch_size = tile, batch_size
        self._probabilities, self._overlay = probabilities, overlay
        self._pictures = inputs if isinstance(inputs, Pictures) else None
        self.is_tiled = None in inputs.input_spec.shape
        augment = predictor.saved.config["dataset"].get("augment") or {}
        self._outside = augment.get("cval", 0)
        spec, coding = predictor.target_spec, self._pictures.coding if self._pictures else None
        self._tints = class_tints(spec, coding.colors if coding else None)
        self.classes = spec.classes if len(spec.classes) > 1 else ("background", *spec.classes)
        self._values = np.arange(256, dtype=np.uint8)  # in a file, by class id
        if coding and coding.values:
            self._values[: len(coding.values)] = coding.values
        palette = np.zeros((256, 3), np.uint8)
        palette[self._values[: len(self.classes)]] = (
            self._tints[: len(self.classes), :3] * 255
            if len(spec.classes) > 1
            else [[0] * 3, [255] * 3]
        )
        self._palette = palette.tobytes()
        self._writers = ThreadPoolExecutor(_WRITERS)

    def __call__(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Answer pictures, and write their masks; tiles of several pictures fill a batch.

        Args:
            batches: Numbers of pictures, and these.

        Yields:
            The numbers, and rows of shape (pictures, 2 + classes), int64: height, width, and the
            pixels of each class.
        """
        pending: deque[tuple[int, int, Future[np.ndarray]]] = deque()
        held = 0  # pixels
        for index, pixels, row in (self._tiled if self.is_tiled else self._whole)(batches):
            pending.append((index, pixels, row))
            held += pixels
            while held > _HELD or len(pending) > _PENDING:
                first, size, one = pending.popleft()
                held -= size
                yield np.array([first]), one.result()[None]
        for first, _, one in pending:
            yield np.array([first]), one.result()[None]

    def ahead(self, most: int) -> int:
        """How many pictures may be read ahead, at most `most`: few where the largest are large."""
        paths = self._pictures.paths if self._pictures else []
        sizes = [(path.stat().st_size, path) for path in paths if path.is_file()]
        pixels = [1]
        for _, path in sorted(sizes, reverse=True)[:_LARGEST]:
            with suppress(UserError):
                header = read_header(path)
                pixels.append(header.height * header.width * header.bands)
        return max(2, min(most, _HELD // max(pixels)))

    def close(self) -> None:
        """End the threads that write."""
        self._writers.shutdown(cancel_futures=True)

    def _whole(self, batches: Iterable[Batch]) -> Iterator[tuple[int, int, Future[np.ndarray]]]:
        for indices, x in batches:
            for index, pixels, answer in zip(indices.tolist(), x, self._predictor(x), strict=True):
                row = self._writers.submit(self._enlarge, index, pixels, answer)
                yield index, pixels.size, row

    def _enlarge(self, index: int, pixels: np.ndarray, answer: np.ndarray) -> np.ndarray:
        size, shown = pixels.shape[:2], pixels
        if self._pictures:
            size = self._pictures.size(index)
            shown = self._pictures.whole(index) if self._overlay else pixels
        return self._save(index, *self._decided(index, size, enlarged(answer, size)), shown)

    def _tiled(self, batches: Iterable[Batch]) -> Iterator[tuple[int, int, Future[np.ndarray]]]:
        pictures = (
            _Padded(index, pixels, self._tile, self._outside)
            for indices, x in batches
            for index, pixels in zip(indices.tolist(), x, strict=True)
        )
        for picture, answers in groupby(self._answers(pictures), key=itemgetter(0)):
            size, pixels = picture.pixels.shape[:2], picture.pixels
            found = self._decided(picture.index, size, picture.bands(answers))
            row = self._writers.submit(self._save, picture.index, *found, pixels)
            yield picture.index, pixels.size, row

    def _answers(self, pictures: Iterable[_Padded]) -> Iterator[_Tile]:
        """The tiles of pictures, one after another, each with its answer."""
        high, wide = self._tile
        tiles = ((picture, *corner) for picture in pictures for corner in picture.corners)
        while some := list(islice(tiles, self._batch_size)):
            x = np.stack(
                [one.padded[top : top + high, left : left + wide] for one, top, left in some]
            )
            for tile, answer in zip(some, self._predictor(x), strict=True):
                yield *tile, answer

    def _decided(
        self, index: int, size: Sequence[int], bands: Iterable[tuple[int, np.ndarray]]
    ) -> tuple[np.ndarray, np.ndarray, Sequence[np.ndarray]]:
        """A picture's row and class ids, and probabilities that become PNG; .npy is written."""
        ids = np.empty(tuple(size), np.uint8)
        count = len(self._predictor.target_spec.classes)
        areas = np.zeros(len(self.classes), np.int64)
        deep = [np.empty(tuple(size), np.uint16) for _ in range(count * self._is("png"))]
        with ExitStack() as stack:
            whole = None
            if self._is("npy"):
                path = stack.enter_context(replacing(self._path("probabilities", index, ".npy")))
                shape = (*size, count)
                whole = np.lib.format.open_memmap(path, "w+", np.float32, shape)
            for first, band in bands:
                own = slice(first, first + len(band))
                ids[own] = self._ids(band)
                areas += np.bincount(ids[own].ravel(), minlength=len(areas))
                if whole is not None:
                    whole[own] = band
                for channel, values in enumerate(deep):
                    values[own] = np.rint(np.clip(band[..., channel], 0, 1) * 65535)
            if whole is not None:
                whole.flush()
        return np.array([*size, *areas]), ids, deep

    def _is(self, kind: Probabilities) -> bool:
        return self._probabilities == kind

    def _ids(self, band: np.ndarray) -> np.ndarray:
        self._predictor.require_finite(band)
        ids = self._predictor.decide(band)
        return (ids[..., 0] if band.shape[-1] == 1 else ids).astype(np.uint8)

    def _save(
        self,
        index: int,
        row: np.ndarray,
        ids: np.ndarray,
        deep: Sequence[np.ndarray],
        pixels: np.ndarray,
    ) -> np.ndarray:
        stored = Image.fromarray(cv2.LUT(ids, self._values), "P")
        stored.putpalette(self._palette)
        with replacing(self._path("masks", index, ".png")) as partial:
            stored.save(partial)
        for name, values in zip(self._predictor.target_spec.classes, deep, strict=bool(deep)):
            path = self._path("probabilities", index, f".{name.replace('/', '_')}.png")
            with replacing(path) as partial:
                Image.fromarray(values).save(partial)
        if self._overlay:
            with replacing(self._path("overlays", index, ".jpg")) as partial:
                shown = tinted(as_rgb(pixels), ids, self._tints)
                Image.fromarray(shown).save(partial, quality=92)
        return row

    def _path(self, kind: str, index: int, ending: str) -> Path:
        path = self._folder / kind / f"{self._names[index]}{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


class _Padded:
    """A picture in its own size, filled up to that of a tile as training fills up a small one.

    Args:
        index: Its number.
        pixels: Shape (height, width, channels).
        tile: Height and width of a tile.
        outside: Value of a pixel beyond its border.

    Attributes:
        padded: The picture filled up.
        corners: Top and left of its tiles.
    """

    def __init__(self, index: int, pixels: np.ndarray, tile: Sequence[int], outside: float) -> None:
        self.index, self.pixels, self._tile = index, pixels, tile
        short = [max(0, want - have) for want, have in zip(tile, pixels.shape[:2], strict=True)]
        self._top, self._left = short[0] // 2, short[1] // 2
        ends = [
            (half, more - half) for half, more in zip((self._top, self._left), short, strict=True)
        ]
        self.padded = (
            np.pad(pixels, [*ends, (0, 0)], constant_values=outside) if any(short) else pixels
        )
        self.corners = places(self.padded.shape, tile)

    def bands(self, tiles: Iterable[_Tile]) -> Iterator[tuple[int, np.ndarray]]:
        """Rows of the picture's probabilities, as `blended` yields them."""
        height, width = self.pixels.shape[:2]
        answers = ((top, left, answer) for _, top, left, answer in tiles)
        rows = blended(answers, self._tile, self.padded.shape[1])
        if len(self.corners) == 1:  # as it is: to multiply and divide would round it
            rows = ((0, answer) for _, _, answer in answers)
        for first, band in rows:
            low, high = max(first, self._top), min(first + len(band), self._top + height)
            if low < high:
                own = slice(self._left, self._left + width)
                yield low - self._top, band[low - first : high - first, own]


_Tile = tuple[_Padded, int, int, np.ndarray]  # its picture, top, left, and answer


def file_names(names: Sequence[str]) -> list[str]:
    """Names without their endings, below one folder; with them where two would be the same."""
    clean = [
        "/".join(part for part in Path(name).parts if part not in ("/", "..")) for name in names
    ]
    stems = [str(Path(name).with_suffix("")) for name in clean]
    seen: dict[str, int] = {}
    for stem in stems:
        seen[stem.casefold()] = seen.get(stem.casefold(), 0) + 1
    return [
        stem if seen[stem.casefold()] == 1 else name
        for stem, name in zip(stems, clean, strict=True)
    ]


def tile_of(predictor: Predictor, asked: str) -> list[int]:
    """Height and width of a tile: what was asked for, or the size that the model was trained at.

    Raises:
        UserError: it is no size, or the model takes no other than its own.
    """
    own = list(predictor.input_spec.shape[:2])
    if not asked:
        return own
    parts = asked.strip("[]").split(",")
    if not all(part.strip().isdecimal() and int(part) > 0 for part in parts) or len(parts) > 2:
        raise UserError(
            f"tile={asked} is no size", "height and width in pixels, or one for both", asked,
            "for instance tile=512 or tile=384,512",
        )  # fmt: skip
    tile = [int(parts[0]), int(parts[-1])]
    if tile != own:
        from reprise.training.checkpoint import of_any_size

        model = predictor.model
        free = model if None in model.input_shape[1:3] else of_any_size(model)
        try:
            if free is None:
                raise ValueError("layers that depend on the size")
            picture = np.zeros(
                (1, *tile, predictor.input_spec.shape[2]), predictor.input_spec.dtype
            )
            if free(picture).shape[1:3] != tuple(tile):
                raise ValueError("an answer of another size")
        except Exception as error:
            raise UserError(
                f"the model takes no tiles of {tile[0]} by {tile[1]} pixels",
                f"{own[0]},{own[1]}, which it was trained at; a fully convolutional network also "
                "takes other sizes that its strides divide, usually multiples of 32",
                f"tile={asked} ({str(error).splitlines()[0][:80]})",
                "choose another size, or leave tile out",
            ) from None
        free.jit_compile = model.jit_compile
        predictor.model = free
    return tile


def areas(classes: Sequence[str], rows: np.ndarray) -> Mapping[str, Any]:
    """Columns of the table of areas: size, and pixels and share of each class."""
    pixels, shares = rows[:, 2:], rows[:, 2:] / np.maximum(1, rows[:, :1] * rows[:, 1:2])
    table: dict[str, Any] = {"height": rows[:, 0], "width": rows[:, 1]}
    table |= {f"pixels_{name}": pixels[:, at] for at, name in enumerate(classes)}
    return table | {f"share_{name}": shares[:, at].round(6) for at, name in enumerate(classes)}
