"""Masks of the inputs' own sizes, from a segmentation model: whole pictures, or tiles of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
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
        self._writer = ThreadPoolExecutor(1)

    def __call__(self, indices: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Write the masks of a batch; shape (batch, 2 + classes), int64: height, width, pixels."""
        found: list[Future[np.ndarray]] = []
        if self.is_tiled:
            for index, pixels in zip(indices.tolist(), x, strict=True):
                bands = self._tiles(pixels)
                found.append(self._write(index, pixels.shape[:2], bands, pixels))
        else:
            for index, pixels, answer in zip(indices.tolist(), x, self._predictor(x), strict=True):
                size, shown = pixels.shape[:2], pixels
                if self._pictures:
                    header = read_header(self._pictures.paths[index])
                    size = header.height, header.width
                    shown = self._pictures.whole(index) if self._overlay else pixels
                found.append(self._write(index, size, enlarged(answer, size), shown))
        return np.stack([one.result() for one in found])

    def close(self) -> None:
        """End the thread that writes."""
        self._writer.shutdown()

    def _tiles(self, pixels: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Rows of probabilities of a picture in its own size, as `blended` yields them."""
        height, width = pixels.shape[:2]
        short = [
            max(0, want - have) for want, have in zip(self._tile, (height, width), strict=True)
        ]
        top, left = short[0] // 2, short[1] // 2
        if any(short):  # as training fills up a picture that is smaller than a crop
            ends = ((top, short[0] - top), (left, short[1] - left), (0, 0))
            pixels = np.pad(pixels, ends, constant_values=self._outside)
        corners = places(pixels.shape, self._tile)
        rows: Iterator[tuple[int, np.ndarray]] = blended(
            self._answers(pixels, corners), self._tile, pixels.shape[1]
        )
        if len(corners) == 1:  # as it is: to multiply and divide would round it
            rows = ((0, answer) for _, _, answer in self._answers(pixels, corners))
        for first, band in rows:
            low, high = max(first, top), min(first + len(band), top + height)
            if low < high:
                yield low - top, band[low - first : high - first, left : left + width]

    def _answers(
        self, pixels: np.ndarray, corners: Sequence[tuple[int, int]]
    ) -> Iterator[tuple[int, int, np.ndarray]]:
        high, wide = self._tile
        for at in range(0, len(corners), self._batch_size):
            some = corners[at : at + self._batch_size]
            tiles = [pixels[top : top + high, left : left + wide] for top, left in some]
            for corner, answer in zip(some, self._predictor(np.stack(tiles)), strict=True):
                yield *corner, answer

    def _write(
        self,
        index: int,
        size: Sequence[int],
        bands: Iterator[tuple[int, np.ndarray]],
        pixels: np.ndarray,
    ) -> Future[np.ndarray]:
        """Answer a picture; its files are written while the next one is answered."""
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
        row = np.array([*size, *areas])
        return self._writer.submit(self._save, index, ids, deep, pixels, row)

    def _is(self, kind: Probabilities) -> bool:
        return self._probabilities == kind

    def _ids(self, band: np.ndarray) -> np.ndarray:
        self._predictor.require_finite(band)
        ids = self._predictor.decide(band)
        return (ids[..., 0] if band.shape[-1] == 1 else ids).astype(np.uint8)

    def _save(
        self,
        index: int,
        ids: np.ndarray,
        deep: Sequence[np.ndarray],
        pixels: np.ndarray,
        row: np.ndarray,
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
