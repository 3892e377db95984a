"""From the settings of a config to the one way in which its masks are read."""

from collections.abc import Mapping, Sequence
from typing import Literal

from reprise.datasets.images.mask_coding import (
    BinaryMasks,
    ColorMasks,
    IdMasks,
    MaskCoding,
    wrong_setting,
)

MaskMode = Literal["binary", "ids", "colors"]


def make_coding(
    mode: MaskMode,
    classes: Sequence[str] | None,
    ignore: Sequence[int | str],
    colors: Mapping[str, Sequence[int]] | None,
) -> MaskCoding:
    """Choose the coding a config asks for.

    Args:
        mode: What the files store.
        classes: Names; see the codings for which modes take them.
        ignore: Ids, or names of `colors`, that become `IGNORED`.
        colors: Red, green and blue by name, for 'colors' alone.

    Raises:
        UserError: a setting is missing, or does not go with `mode`.
    """
    if (mode == "colors") != bool(colors) or (mode == "colors" and classes):
        expected = "colours by name, and classes=null, for mask_mode=colors; null for the others"
        raise wrong_setting(
            "colors", expected, f"mask_mode={mode} colors={colors} classes={classes}"
        )
    if mode == "colors" and colors:
        return ColorMasks(colors, ignore)
    numbers = [number for number in ignore if isinstance(number, int) and 0 <= number <= 255]
    if len(numbers) < len(ignore) or (numbers and mode == "binary"):
        expected = "ids from 0 to 255 for mask_mode=ids, names of colours for colors, [] for binary"
        raise wrong_setting("ignore", expected, list(ignore))
    if mode == "ids":
        return IdMasks(classes or (), numbers)
    return BinaryMasks(classes or ("foreground",))
