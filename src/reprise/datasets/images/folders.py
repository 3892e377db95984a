"""Which image files a folder holds: by stem, to pair images with masks, or by class folder."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from reprise.datasets.splits import WORDS
from reprise.errors import UserError

_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
_LITTER = {"thumbs.db", "desktop.ini"}  # of file managers, besides hidden files


def list_images(folder: Path, key: str) -> dict[str, str]:
    """List the image files directly in a folder, which the config key `key` names.

    Returns:
        File name by stem, in the order of the names; folders and other files are passed over.

    Raises:
        UserError: there is no such folder, it has no image, or two images have the same stem.
    """
    if not folder.is_dir():
        raise UserError(f"{key}: no such folder", "a folder", str(folder), f"correct {key}")
    names = sorted(
        entry.name
        for entry in folder.iterdir()
        if entry.suffix.lower() in _SUFFIXES and not entry.name.startswith(".")
    )
    if not names:
        raise UserError(
            f"{key}: {folder} holds no image",
            f"files ending in {', '.join(_SUFFIXES)}, directly in the folder",
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
    """Refuse images without a mask, masks without an image, and masks in JPEG, by stem.

    Raises:
        UserError: there are such files; up to five of each kind are named.
    """
    alone = {
        "images without a mask": [images[stem] for stem in images.keys() - masks.keys()],
        "masks without an image": [masks[stem] for stem in masks.keys() - images.keys()],
    }
    received = [
        f"{title} ({len(names)}): {_first(names)}" for title, names in alone.items() if names
    ]
    if received:
        raise UserError(
            "images and masks do not pair up",
            "for every image a mask of the same stem, as in 'a.jpg' and 'a.png'",
            "\n".join(received),
            "add what is missing, or take the single files away",
        )
    # JPEG changes values, and so turns a class id into its neighbour.
    lossy = [name for name in masks.values() if name.lower().endswith((".jpg", ".jpeg"))]
    if lossy:
        raise UserError(
            "masks are stored in JPEG, which does not keep exact values",
            "masks in PNG or TIFF",
            f"JPEG masks ({len(lossy)}): {_first(lossy)}",
            "export the masks again as PNG from where they were drawn",
        )


class ClassFolders(NamedTuple):
    """The images of a folder of class folders."""

    files: list[str]  # relative to the folder: cat/1.jpg or train/cat/1.jpg; the test split's last
    classes: list[str]  # of each file
    splits: list[str]  # of each file, 'train', 'valid' or 'test'; '' without folders of splits
    strays: list[str]  # files in class folders that are no images, and images outside of them


def list_classes(folder: Path) -> ClassFolders:
    """List the images of a folder with one folder per class, or with folders of splits above.

    Folders in a class folder belong to the class; links to folders are strays. Hidden files and
    folders, Thumbs.db, desktop.ini and, beside the class folders, files other than images are
    passed over.

    Raises:
        UserError: there is no such folder, no class in it, a class without images, or a class that
            valid or test have and train has not: it could not be learned.
    """
    found = files, classes, splits, strays = ClassFolders([], [], [], [])
    for top, split in _tops(folder):
        strays += [one for one in _entries(folder, top, folders=False) if _is_image(one)]
        for path in _entries(folder, top, folders=True):
            inside = _walk(folder, path)
            images = [one for one in inside if _is_image(one)]
            if not images:
                raise UserError(
                    f"{folder / path} holds no image",
                    f"a folder for each class, with files ending in {', '.join(_SUFFIXES)}",
                    f"{len(inside)} files, none of them such" if inside else "an empty folder",
                    "put the images there, or remove the folder",
                )
            strays += [one for one in inside if not _is_image(one)]
            files += images
            classes += [path.rpartition("/")[2]] * len(images)
            splits += [split] * len(images)
    if not files:
        raise UserError(
            f"dataset.folder: {folder} holds no class",
            "a folder for each class, with images in it; or train, valid, test with those in them",
            f"{len(list(folder.iterdir()))} entries, no folder of a class among them",
            "correct dataset.folder, or put the images of each class into a folder of its name",
        )
    _require_known_classes(splits, classes)
    return found


def _require_known_classes(splits: Sequence[str], classes: Sequence[str]) -> None:
    by_split: dict[str, set[str]] = {}
    for split, name in zip(splits, classes, strict=True):
        by_split.setdefault(split, set()).add(name)
    for split, names in by_split.items():
        if more := sorted(names - by_split.get("train", names)):
            raise UserError(
                f"the folder of {split} has a class that train has not",
                f"classes of train: {', '.join(sorted(by_split['train']))}",
                f"{split}: {', '.join(more)}",
                "correct the folder's name, or add the class to train",
            )


def _tops(folder: Path) -> list[tuple[str, str]]:
    """Folders that contain class folders, with their splits; `folder` itself without a train."""
    if not folder.is_dir():
        key = "dataset.folder"
        raise UserError(f"{key}: no such folder", "a folder", str(folder), f"correct {key}")
    names = _entries(folder, "", folders=True)
    if "train" in names and set(names) <= set(WORDS):
        order = list(WORDS)
        return [(name, WORDS[name]) for name in sorted(names, key=order.index)]
    return [("", "")]


def _entries(folder: Path, inner: str, *, folders: bool, links: bool = True) -> list[str]:
    """Paths, relative to `folder` and sorted, of the files or folders in its folder `inner`.

    A link to a folder counts as a folder if `links`, and otherwise as a file.
    """
    with os.scandir(folder / inner) as entries:
        return sorted(
            f"{inner}/{entry.name}".lstrip("/")
            for entry in entries
            if entry.is_dir(follow_symlinks=links) == folders
            and not (entry.name.startswith(".") or entry.name.lower() in _LITTER)
        )


def _walk(folder: Path, inner: str) -> list[str]:
    """Paths of all files below a folder; does not follow links to folders: they may be circular."""
    found = _entries(folder, inner, folders=False, links=False)
    for path in _entries(folder, inner, folders=True, links=False):
        found += _walk(folder, path)
    return sorted(found)


def _is_image(name: str) -> bool:
    return name.lower().endswith(_SUFFIXES)


def _first(names: Sequence[str]) -> str:
    return ", ".join(sorted(names)[:5]) + (", …" if len(names) > 5 else "")
