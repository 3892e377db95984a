"""Which image files a folder holds, and whether those of two folders pair up by stem."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from reprise.errors import UserError

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


def list_images(folder: Path, key: str) -> dict[str, str]:
    """List the image files that stand directly in a folder.

    Args:
        folder: Where to look; folders in it and files of other kinds are passed over.
        key: The config key that named the folder, for errors.

    Returns:
        File name by stem, in the order of the names.

    Raises:
        UserError: there is no such folder, it has no image, or two images share a stem.
    """
    if not folder.is_dir():
        raise UserError(f"{key}: no such folder", "a folder", str(folder), f"correct {key}")
    names = sorted(
        entry.name
        for entry in folder.iterdir()
        if entry.suffix.lower() in SUFFIXES and not entry.name.startswith(".")
    )
    if not names:
        raise UserError(
            f"{key}: {folder} holds no image",
            f"files ending in {', '.join(SUFFIXES)}, directly in the folder",
            f"{sum(1 for _ in folder.iterdir())} entries, none of them such a file",
            f"correct {key}, or put the images there",
        )
    files: dict[str, str] = {}
    for name in names:
        first = files.setdefault(Path(name).stem, name)
        if first != name:
            raise UserError(
                f"{key}: two files in {folder} have the same stem",
                "one file for each stem, since stems pair images with masks",
                f"{first} and {name}",
                "take one of the two away",
            )
    return files


def require_pairs(images: Mapping[str, str], masks: Mapping[str, str]) -> None:
    """Refuse images without a mask and masks without an image.

    Args:
        images: Image file names by stem.
        masks: Mask file names by stem.

    Raises:
        UserError: a stem is missing on one side; up to five of each are named.
    """
    lonely = {
        "images without a mask": [images[stem] for stem in images.keys() - masks.keys()],
        "masks without an image": [masks[stem] for stem in masks.keys() - images.keys()],
    }
    received = [
        f"{title} ({len(names)}): {_first(names)}" for title, names in lonely.items() if names
    ]
    if received:
        raise UserError(
            "images and masks do not pair up",
            "for every image a mask of the same stem, as in 'a.jpg' and 'a.png'",
            "\n".join(received),
            "add what is missing, or take the single files away",
        )


def require_lossless(masks: Mapping[str, str]) -> None:
    """Refuse masks in JPEG, where a class id comes back as its neighbour.

    Args:
        masks: Mask file names by stem.

    Raises:
        UserError: there are such files; up to five are named.
    """
    lossy = [name for name in masks.values() if name.lower().endswith((".jpg", ".jpeg"))]
    if lossy:
        raise UserError(
            "masks are stored in JPEG, which does not keep exact values",
            "masks in PNG or TIFF",
            f"JPEG masks ({len(lossy)}): {_first(lossy)}",
            "export the masks again as PNG from where they were drawn",
        )


def _first(names: Sequence[str]) -> str:
    return ", ".join(sorted(names)[:5]) + (", …" if len(names) > 5 else "")
