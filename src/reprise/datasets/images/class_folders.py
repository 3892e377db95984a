"""Which image files stand in which class's folder."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reprise.datasets.images.listing import SUFFIXES
from reprise.datasets.splitting.given import WORDS
from reprise.errors import UserError

_LITTER = {"thumbs.db", "desktop.ini"}  # what file managers leave behind, beside hidden files


@dataclass(frozen=True)
class Listing:
    """The images of a folder of class folders.

    Args:
        files: Paths from the folder on: `cat/1.jpg` or `train/cat/1.jpg`; those of test last.
        classes: Name of each file's class.
        splits: Split that each file's folder says: 'train', 'valid', 'test'; '' where there are
            no such folders.
        strays: Files in a class's folder that are no image, and images that are in none.
    """

    files: Sequence[str]
    classes: Sequence[str]
    splits: Sequence[str]
    strays: Sequence[str]


def list_classes(folder: Path) -> Listing:
    """List the images of a folder with one folder per class, or with folders of splits above.

    Folders in a class's folder belong to it; links to folders do not, and are strays. Hidden files
    and folders, Thumbs.db and desktop.ini are passed over, and so are files beside the folders,
    unless they are images.

    Raises:
        UserError: there is no such folder, none in it, a class without images, or a class that
            train does not have.
    """
    files: list[str] = []
    classes: list[str] = []
    splits: list[str] = []
    strays: list[str] = []
    for top, split in _tops(folder):
        strays += [one for one in _entries(folder, top, folders=False) if _is_image(one)]
        for path in _entries(folder, top, folders=True):
            inside = _walk(folder, path)
            images = [one for one in inside if _is_image(one)]
            if not images:
                raise _empty_class(folder / path, len(inside))
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
    return Listing(files, classes, splits, strays)


def require_known_classes(listing: Listing) -> None:
    """Refuse a class that valid or test have, and train has not: it cannot be learned.

    Raises:
        UserError: there is one; it is named.
    """
    by_split: dict[str, set[str]] = {}
    for split, name in zip(listing.splits, listing.classes, strict=True):
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
    """Folders that hold class folders, each with its split; the folder itself if train is none."""
    if not folder.is_dir():
        key = "dataset.folder"
        raise UserError(f"{key}: no such folder", "a folder", str(folder), f"correct {key}")
    names = _entries(folder, "", folders=True)
    if "train" in names and set(names) <= set(WORDS):
        order = list(WORDS)
        return [(name, WORDS[name]) for name in sorted(names, key=order.index)]
    return [("", "")]


def _entries(folder: Path, inner: str, *, folders: bool, links: bool = True) -> list[str]:
    """Paths from `folder` on of what stands directly in its folder `inner`, sorted.

    Args:
        folder: Where paths start.
        inner: Path of a folder in it, '' for itself.
        folders: Folders, and not files.
        links: A link to a folder counts as a folder, and not as a file.
    """
    with os.scandir(folder / inner) as entries:
        return sorted(
            f"{inner}/{entry.name}".lstrip("/")
            for entry in entries
            if entry.is_dir(follow_symlinks=links) == folders and not _is_litter(entry.name)
        )


def _walk(folder: Path, inner: str) -> list[str]:
    """Paths from `folder` on of all files in its folder `inner` and in those within, sorted.

    Links to folders are not followed, since they may lead in a circle.
    """
    found = _entries(folder, inner, folders=False, links=False)
    for path in _entries(folder, inner, folders=True, links=False):
        found += _walk(folder, path)
    return sorted(found)


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name.lower() in _LITTER


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _empty_class(folder: Path, count: int) -> UserError:
    return UserError(
        f"{folder} holds no image",
        f"a folder for each class, with files ending in {', '.join(SUFFIXES)}",
        f"{count} files, none of them such" if count else "an empty folder",
        "put the images there, or remove the folder",
    )
