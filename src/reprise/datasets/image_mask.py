"""Image files, each with a mask file of the same stem, for segmentation."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import cv2
import numpy as np
from annotated_types import Ge, Interval, Len

from reprise.datasets.base import Sample
from reprise.datasets.decodable import Decoded
from reprise.datasets.drawing import class_ids, draw_masks
from reprise.datasets.images.files import Pages, has_varying_alpha, read_header, require_readable
from reprise.datasets.images.folders import list_images, others, require_pairs
from reprise.datasets.images.masks import MaskMode, make_coding
from reprise.datasets.images.reader import LOOKED_AT, Channels, ImageFiles, ImageSize
from reprise.datasets.splits import SplitSettings, listed_files, make_splits
from reprise.errors import UserError
from reprise.spec import Spec
from reprise.transforms.augment import Augment
from reprise.transforms.place import Fit, reduce_image, reduce_mask

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from reprise.datasets.images.unlabelled import Pictures


class ImageMask(ImageFiles):
    """Images and their masks from two folders, paired by stem.

    A sample is an image, shape (*image_size, channels), uint8 or uint16 as in the files, and its
    class ids, shape (*image_size, 1), uint8. Pixels outside of the image, in a crop's padding or a
    constant border, are ignored in the target, or background if `mask_mode` is binary.

    Args:
        images: Folder of PNG, JPEG or TIFF files, 8 or 16 bits, all of one depth.
        masks: Folder of PNG or TIFF files, each of the size of its image.
        image_size: Height and width of a sample, in pixels.
        fit, channels, pages, split_seed, augment: As in `ImageFolder`. Pages of masks are never
            stacked.
        mask_mode: 'binary' (0 and 1, or 0 and 255), 'ids' (a value, or an index into a palette,
            is a class id), 'colors' (an RGB colour is a class), or 'alpha' (as 'binary', in the
            alpha channel).
        classes: For 'ids', names of the ids 0, 1, 2, … without those in `ignore`; for 'binary', the
            name of the foreground; for 'colors' None.
        ignore: Ids, or names of colours, that count in no loss and no metric.
        colors: For 'colors', red, green and blue (0 to 255) of each class, by name.
        split: 'train', 'valid' and 'test', each a fraction of the samples, or a text file with one
            file name or stem in a line; None for 'test' alone.

    Raises:
        UserError: the folders, the pairs or the settings are not as described.
    """

    def __init__(
        self,
        images: Annotated[str, "folder"],
        masks: Annotated[str, "folder"],
        image_size: ImageSize,
        split: SplitSettings,
        fit: Fit = "resize",
        channels: Channels = 3,
        pages: Pages = "one",
        mask_mode: MaskMode = "binary",
        classes: list[str] | None = None,
        ignore: list[int | str] | None = None,
        colors: dict[str, Annotated[list[Annotated[int, Interval(ge=0, le=255)]], Len(3, 3)]]
        | None = None,
        split_seed: Annotated[int, Ge(0)] = 0,
        augment: Augment | None = None,
    ) -> None:
        if Path(images).resolve() == Path(masks).resolve():
            raise UserError(
                "dataset.images and dataset.masks are one folder, in which each image is its mask",
                "two folders, in which an image and its mask have the same stem",
                f"{images} for both",
                "move the masks to a folder of their own, or correct dataset.masks",
            )
        image_files = list_images(Path(images), "dataset.images")
        mask_files = list_images(Path(masks), "dataset.masks")
        require_pairs(image_files, mask_files)
        self._folders = (Path(images), Path(masks))
        paths = [self._folders[0] / name for name in image_files.values()]
        self._masks = [self._folders[1] / mask_files[stem] for stem in image_files]
        super().__init__(paths, image_size, channels, fit, augment, pages)
        self._coding = make_coding(mask_mode, classes, ignore or [], colors)
        self._split, self._split_seed = dict(split), split_seed
        self._present: set[int] = set()  # class ids in the masks that were decoded
        self._looked_at_all, self._mask_mode = False, mask_mode
        coding = self._coding
        self.target_spec = Spec((*self._size, 1), "uint8", coding.classes, coding.ignore)
        self.decoded = (*self.decoded, Spec((None, None), "uint8"))
        self.recipe = repr((self._enough, mask_mode, classes, ignore, colors, pages))

    @classmethod
    def unlabelled(
        cls,
        given: Sequence[str],
        spec: Spec,
        *,
        fit: Fit = "resize",
        pages: Pages = "one",
        mask_mode: MaskMode = "binary",
        classes: list[str] | None = None,
        ignore: list[int | str] | None = None,
        colors: dict[str, Any] | None = None,
        **settings: Any,
    ) -> "Pictures":
        """Inputs as `BaseDataset.unlabelled` says; 'crop' gives pictures of their own sizes."""
        from reprise.datasets.images.unlabelled import Pictures

        pictures = Pictures(given, spec, None if fit == "crop" else fit, pages)
        pictures.coding = make_coding(mask_mode, classes, ignore or [], colors)
        return pictures

    def decode(self, index: int) -> Decoded:
        """Read an image and its mask, both reduced alike if they have far more pixels than needed.

        Raises:
            UserError: a file cannot be read, or the two do not fit; the file is named.
        """
        image, factor = self._reader.read(self._paths[index], self._enough)
        ids = self._coding.read(self._masks[index])
        if image.shape[:2] != tuple(-(-side // factor) for side in ids.shape):
            self._compare_headers(index)  # raises, with the sizes of the files
        image = reduce_image(image, self._enough)
        return image, reduce_mask(ids, image.shape)

    def finish(self, arrays: Decoded, index: int, rng: np.random.Generator | None) -> Sample:
        image, ids = arrays
        placement = self._place(ids.shape, rng)
        return placement.image(image), placement.mask(ids, self._coding.ignore or 0)

    def name(self, index: int) -> str:
        return f"{self._folders[0].name}/{self._paths[index].name}"

    def splits(self) -> Mapping[str, np.ndarray]:
        keys: dict[str, int] = {}
        for at, (image, mask) in enumerate(zip(self._paths, self._masks, strict=True)):
            keys |= {image.stem: at, image.name: at, mask.name: at}
        groups = [self.group(at) for at in range(len(self))]
        return make_splits(keys, groups, self._split, self._split_seed)

    def check(self, indices: np.ndarray, *, thorough: bool = False) -> list[str]:
        found = super().check(indices, thorough=thorough)
        are_few = len(indices) < 2 * LOOKED_AT
        self._looked_at_all = (thorough or are_few) and len(indices) == len(self)
        is_one = self._looked_at_all and not found and len(self._known()) < 2
        return found + [self._one_class()] * is_one

    @property
    def notes(self) -> Sequence[str]:
        lines = [*super().notes]
        for folder in self._folders:
            if unread := others(folder):
                some = ", ".join(unread[:5]) + (", …" if len(unread) > 5 else "")
                lines.append(f"{folder}: {len(unread)} entries are no images by name: {some}")
        known, names = self._known(), self._names()
        if self._present and len(known) < 2 and not self._looked_at_all:
            lines.append(self._one_class())
        elif missing := [name for at, name in names.items() if len(known) > 1 and at not in known]:
            which = "no mask" if self._looked_at_all else "none of the masks looked at"
            lines.append(f"{self._folders[1]}: {which} has a pixel of {', '.join(missing)}")
        return lines

    @property
    def sources(self) -> Sequence[Path]:
        return (*self._folders, *listed_files(self._split))

    def draw(
        self, axes: "Axes", x: np.ndarray, y: np.ndarray, prediction: np.ndarray | None = None
    ) -> None:
        masks = {"target": y}
        if prediction is not None:
            masks["answer"] = class_ids(prediction)
        draw_masks(axes, x, masks, self.target_spec, self._coding.colors)

    def _look(self, index: int, *, decode: bool) -> None:
        self._compare_headers(index, decode=decode)
        if decode:
            self._look_at_mask(self._masks[index])

    def _compare_headers(self, index: int, *, decode: bool = False) -> None:
        image_file, mask_file = self._paths[index], self._masks[index]
        image = self._reader.look(image_file, decode=decode)
        mask = read_header(mask_file)
        # Masks of several pages are as ambiguous as images, and none is stacked.
        pages: Pages = "first" if self._pages == "first" else "one"
        require_readable(mask_file, mask, mask.bands, pages)
        for note in mask.notes:
            self._reader.remember(note, mask_file)
        if image.is_turned and not mask.is_turned:
            note = "turned as EXIF says, and its mask, of which EXIF says nothing, is not"
            self._reader.remember(note, image_file)
        if (image.height, image.width) != (mask.height, mask.width):
            raise UserError(
                f"{mask_file} has another size than its image {image_file}",
                f"{image.height} rows and {image.width} columns, after the image's EXIF "
                "orientation",
                f"{mask.height} rows and {mask.width} columns",
                "draw the mask at the size of the image",
            )

    def _look_at_mask(self, file: Path) -> None:
        counts = cv2.calcHist([self._coding.read(file)], [0], None, [256], [0, 256])
        self._present.update(np.flatnonzero(counts).tolist())
        if self._mask_mode != "alpha" and read_header(file).has_alpha and has_varying_alpha(file):
            reads = "dataset.mask_mode=alpha reads it alone"
            self._reader.remember(f"the alpha channel, which varies, is not read ({reads})", file)

    def _names(self) -> dict[int, str]:
        """Names of the ids that count in a target."""
        classes = self._coding.classes
        return dict(enumerate(classes if len(classes) > 1 else ("background", *classes)))

    def _known(self) -> set[int]:
        """Ids in the masks looked at, without the ignored one."""
        return self._present - {self._coding.ignore}

    def _one_class(self) -> str:
        names = ", ".join(self._names()[at] for at in self._known()) or "what is ignored"
        which = "every mask" if self._looked_at_all else "every mask looked at"
        return (
            f"{self._folders[1]} has nothing to tell apart: expected masks of "
            f"{' and '.join(list(self._names().values())[:3])}; received nothing but {names} in "
            f"{which}; correct dataset.masks or dataset.mask_mode"
        )
