"""Image files, each with a mask file of the same stem: what a segmentation model is trained on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Ge, Interval, Len

from reprise.datasets.base import Sample
from reprise.datasets.decodable import Arrays, Decodable
from reprise.datasets.drawing import draw_masks
from reprise.datasets.images.headers import read_header
from reprise.datasets.images.listing import list_images, require_lossless, require_pairs
from reprise.datasets.images.mask_settings import make_coding
from reprise.datasets.images.pairs import Pair, check_pairs, read_pair
from reprise.datasets.splitting.splits import make_splits
from reprise.spec import Spec
from reprise.transforms.augment import Augment
from reprise.transforms.place import draw_placement, pixels_needed

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class ImageMask(Decodable):
    """Pictures and their masks from two folders, paired by stem.

    A sample is a picture, shape (*image_size, channels), uint8 or uint16 as the files have it,
    and its class ids, shape (*image_size, 1), uint8. What a crop's padding or a constant border
    puts outside of a picture is ignored in the target, or background where `mask_mode` is binary.

    Args:
        images: Folder of PNG, JPEG or TIFF files, 8 or 16 bits, all of one depth.
        masks: Folder of PNG or TIFF files, each of the size of its image.
        image_size: Height and width of a sample, in pixels.
        fit: 'resize' scales to `image_size`, whatever the proportions. 'crop' cuts it out, at
            random in training and else from the middle; a smaller picture is padded.
        channels: 1 for grey, 3 for RGB.
        mask_mode: 'binary' (0 and 1, or 0 and 255), 'ids' (a value, or an index into a palette,
            is a class id) or 'colors' (an RGB colour is a class).
        classes: For 'ids', names of the ids 0, 1, 2, … without those in `ignore`; for 'binary', the
            name of the foreground; for 'colors' None.
        ignore: What counts in no loss and no metric: ids, or for 'colors' names.
        colors: For 'colors', red, green and blue (0 to 255) of each class, by name.
        split: 'train', 'valid' and 'test', each a fraction of the samples, or a text file with one
            file name or stem in a line; None for 'test' alone.
        split_seed: Moves samples between splits by fraction. `seed` does not.
        augment: Random changes in training, or None.

    Raises:
        UserError: the folders, the pairs or the settings are not as described.
    """

    def __init__(
        self,
        images: Annotated[str, "folder"],
        masks: Annotated[str, "folder"],
        image_size: Annotated[list[Annotated[int, Ge(1)]], Len(2, 2)],
        split: dict[
            Literal["train", "valid", "test"],
            Annotated[float, Interval(ge=0, le=1)] | Annotated[str, "file"] | None,
        ],
        fit: Literal["resize", "crop"] = "resize",
        channels: Literal[1, 3] = 3,
        mask_mode: Literal["binary", "ids", "colors"] = "binary",
        classes: list[str] | None = None,
        ignore: list[int | str] | None = None,
        colors: dict[str, Annotated[list[Annotated[int, Interval(ge=0, le=255)]], Len(3, 3)]]
        | None = None,
        split_seed: Annotated[int, Ge(0)] = 0,
        augment: Augment | None = None,
    ) -> None:
        image_files = list_images(Path(images), "dataset.images")
        mask_files = list_images(Path(masks), "dataset.masks")
        require_pairs(image_files, mask_files)
        require_lossless(mask_files)
        self._folders = (Path(images), Path(masks))
        self._files = [(name, mask_files[stem]) for stem, name in image_files.items()]
        self._coding = make_coding(mask_mode, classes, ignore or [], colors)
        self._size = (image_size[0], image_size[1])
        self._fit: Literal["resize", "crop"] = fit
        self._augment = augment
        self._enough = pixels_needed(self._size, fit)
        self._split, self._split_seed = dict(split), split_seed
        dtype = read_header(self._pair(0)[0], oriented=True).dtype
        self.input_spec = Spec((*self._size, channels), dtype)
        coding = self._coding
        self.target_spec = Spec((*self._size, 1), "uint8", coding.classes, coding.ignore)
        self.decoded = Spec((None, None, channels), dtype), Spec((None, None), "uint8")
        self.recipe = repr((self._enough, mask_mode, classes, ignore, colors))

    def __len__(self) -> int:
        return len(self._files)

    def decode(self, index: int) -> Arrays:
        return read_pair(self._pair(index), self._coding, *self._pixels(), self._enough)

    def finish(self, arrays: Arrays, index: int, rng: np.random.Generator | None) -> Sample:
        image, ids = arrays
        placement = draw_placement(ids.shape[:2], self._size, self._fit, self._augment, rng)
        return placement.image(image), placement.mask(ids, self._coding.ignore or 0)

    def name(self, index: int) -> str:
        return f"{self._folders[0].name}/{self._files[index][0]}"

    def splits(self) -> Mapping[str, np.ndarray]:
        keys: dict[str, int] = {}
        for at, (image, mask) in enumerate(self._files):
            keys |= {Path(image).stem: at, image: at, mask: at}
        groups = [self.group(at) for at in range(len(self))]
        return make_splits(keys, groups, self._split, self._split_seed)

    def check(self, indices: np.ndarray, *, thorough: bool = False) -> list[str]:
        pairs = [self._pair(int(index)) for index in indices]
        return check_pairs(pairs, self._coding, *self._pixels(), thorough=thorough)

    @property
    def sources(self) -> Sequence[Path]:
        files = [Path(value) for value in self._split.values() if isinstance(value, str)]
        return (*self._folders, *files)

    def draw(
        self, axes: "Axes", x: np.ndarray, y: np.ndarray, prediction: np.ndarray | None = None
    ) -> None:
        masks = {"target": y}
        if prediction is not None:
            is_yes_no = prediction.shape[-1] == 1
            masks["answer"] = (
                prediction > 0.5 if is_yes_no else prediction.argmax(-1, keepdims=True)
            )
        draw_masks(axes, x, masks, self.target_spec, self._coding.colors)

    def _pair(self, index: int) -> Pair:
        image, mask = self._files[index]
        return self._folders[0] / image, self._folders[1] / mask

    def _pixels(self) -> tuple[int, str]:
        return self.input_spec.shape[2], self.input_spec.dtype
