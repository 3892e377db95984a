"""Which image files a folder holds: by stem, to pair images with masks, or by class folder."""

import os
from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from reprise.datasets.splits import folded, seen, split_of, splits_in
from reprise.errors import UserError

SPLITS = ["train", "valid", "test"]
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
_LITTER = {  # of file managers and archives, besides hidden files
    "thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "lost+found",
}  # fmt: skip


def list_images(folder: Path, key: str) -> dict[str, str]:
    """List the image files directly in a folder, which the config key `key` names.

    Returns:
        File name by stem as it is seen, in the order of the names; `others` are passed over.

    Raises:
        UserError: there is no such folder, it has no image, or two images have the same stem.
    """
    if not folder.is_dir():
        raise UserError(f"{key}: no such folder", "a folder", str(folder), f"correct {key}")
    entries = _entries(folder, "", folders=False)
    names = [name for name in entries if _is_image(name)]
    if not names:
        raise UserError(
            f"{key}: {folder} holds no image",
            f"files ending in {', '.join(SUFFIXES)}, directly in the folder",
            f"{sum(1 for _ in folder.iterdir())} entries, none of them such a file",
            f"correct {key}, or put the images there",
        )
    files: dict[str, str] = {}
    for name in names:
        first = files.setdefault(seen(Path(name).stem), name)
        if first != name:
            raise UserError(
                f"{key}: two files in {folder} have the same stem",
                "one file for each stem, since stems pair images with masks",
                f"{first} and {name}" if name.isascii() else f"{first!a} and {name!a}",
                "take one of the two away",
            )
    return files


def others(folder: Path) -> list[str]:
    """What `list_images` passes over in a folder, but for what is hidden or a system's own."""
    unread = [name for name in _entries(folder, "", folders=False) if not _is_image(name)]
    return unread + [f"{name}/" for name in _entries(folder, "", folders=True)]


def find_files(folder: Path, names: Sequence[str]) -> list[Path]:
    """Find the files that a table names.

    Args:
        folder: Where names start, unless they are absolute.
        names: As the files are called, or in another case or Unicode form, with `\\` for `/`, or
            without the ending of an image.

    Returns:
        Path of each file; of one that is not found, or of which several may be meant, as named.
    """
    known: dict[Path, tuple[set[str], dict[str, list[str]]]] = {}
    found = []
    for name in names:
        path = folder / name
        if "\\" in name and not path.exists():
            path = folder / name.replace("\\", "/")
        if path.parent not in known:
            known[path.parent] = _listing(path.parent)
        files, folds = known[path.parent]
        if path.name not in files and len(like := folds.get(folded(path.name), [])) == 1:
            path = path.with_name(like[0])
        found.append(path)
    return found


def _listing(folder: Path) -> tuple[set[str], dict[str, list[str]]]:
    """Names in a folder, and by their folded names and stems those of images."""
    names = {entry.name for entry in os.scandir(folder)} if folder.is_dir() else set[str]()
    folds: dict[str, list[str]] = {}
    for name in filter(_is_image, names):
        for key in {folded(name), folded(Path(name).stem)}:
            folds.setdefault(key, []).append(name)
    return names, folds


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


class _Part(NamedTuple):
    """A folder of images of one class, of one split or ''."""

    path: str
    name: str
    split: str


def list_classes(folder: Path, classes: Sequence[str] | None = None) -> ClassFolders:
    """List the images of a folder with one folder per class, or with folders of splits.

    Folders of splits, such as train, valid and test, or Training and Testing, stand either above
    the folders of all classes or in each of them. Other folders in a class folder belong to the
    class; links to folders are strays. Hidden files and folders, what systems leave behind and,
    beside the class folders, files other than images are passed over.

    Args:
        folder: The folder.
        classes: Names of classes; a folder of that name is a class, whatever else it may mean.

    Raises:
        UserError: there is no such folder, no class in it, a class without images, or a class that
            valid or test have and train has not: it could not be learned; or folders may be
            splits or classes.
    """
    found = files, names, splits, strays = ClassFolders([], [], [], [])
    tops, parts = _layout(folder, classes)
    for top in tops:
        strays += [one for one in _entries(folder, top, folders=False) if _is_image(one)]
    for path, name, split in parts:
        inside = _walk(folder, path)
        images = [one for one in inside if _is_image(one)]
        if not images:
            raise UserError(
                f"{folder / path} holds no image",
                f"a folder for each class, with files ending in {', '.join(SUFFIXES)}",
                f"{len(inside)} files, none of them such" if inside else "an empty folder",
                "put the images there, or remove the folder",
            )
        strays += [one for one in inside if not _is_image(one)]
        files += images
        names += [name] * len(images)
        splits += [split] * len(images)
    if not files:
        raise UserError(
            f"dataset.folder: {folder} holds no class",
            "a folder for each class, with images in it; or train, valid, test with those in them",
            f"{len(list(folder.iterdir()))} entries, no folder of a class among them",
            "correct dataset.folder, or put the images of each class into a folder of its name",
        )
    _require_known_classes(splits, names)
    return found


def _require_known_classes(splits: Sequence[str], classes: Sequence[str]) -> None:
    by_split: dict[str, dict[str, str]] = {}
    for split, name in zip(splits, classes, strict=True):
        by_split.setdefault(split, {})[seen(name)] = name
    for split, names in by_split.items():
        if more := sorted(names.keys() - by_split.get("train", names).keys()):
            raise UserError(
                f"the folder of {split} has a class that train has not",
                f"classes of train: {', '.join(sorted(by_split['train']))}",
                f"{split}: {', '.join(more)}",
                "correct the folder's name, or add the class to train",
            )


def _layout(folder: Path, classes: Sequence[str] | None) -> tuple[list[str], list[_Part]]:
    """Which folders stand above those of classes, and the folders of classes.

    Raises:
        UserError: there is no such folder, or its folders may be splits or classes.
    """
    if not folder.is_dir():
        key = "dataset.folder"
        raise UserError(f"{key}: no such folder", "a folder", str(folder), f"correct {key}")
    tops = _entries(folder, "", folders=True)
    inner = {top: _entries(folder, top, folders=True) for top in tops}
    splits = {top: split_of(top) for top in tops}
    own = {top: {split_of(_last(one)) for one in inner[top]} for top in tops}
    is_one = len(tops) == 1 and len(inner[tops[0]]) > 1 and not splits[tops[0]]
    if is_one and not any(map(_is_image, _entries(folder, tops[0], folders=False))):
        raise UserError(
            f"dataset.folder: {folder} holds one class",
            "two classes, or folders of splits",
            f"the folder {tops[0]}, which holds folders alone",
            f"set dataset.folder={folder / tops[0]}",
        )
    plain = [_Part(top, top, "") for top in tops]
    if not tops or {seen(one) for one in classes or ()}.issuperset(map(seen, tops)):
        return [""], plain
    if "train" in splits.values() and None not in splits.values():
        if len(set(splits.values())) < len(tops):
            first, second = next(
                pair for pair in combinations(tops, 2) if len({splits[one] for one in pair}) == 1
            )
            raise _ambiguous(folder, inner, first, second, f"both name the split {splits[first]}")
        tops.sort(key=lambda top: SPLITS.index(splits[top] or ""))
        above = {top: _unpacked(folder, top) for top in tops}
        return list(above.values()), [
            _Part(path, _last(path), splits[top] or "")
            for top in tops
            for path in _entries(folder, above[top], folders=True)
        ]
    if all("train" in found and None not in found for found in own.values()):
        pairs = [(split_of(_last(path)) or "", top, path) for top in tops for path in inner[top]]
        pairs.sort(key=lambda pair: (SPLITS.index(pair[0]), pair[1:]))
        return ["", *tops], [_Part(path, top, split) for split, top, path in pairs]
    _require_classes(folder, inner)
    return [""], plain


def _require_classes(folder: Path, inner: Mapping[str, Sequence[str]]) -> None:
    """Refuse folders of which some may be splits; `inner` are the folders in each."""
    below = {top: {folded(_last(path)) for path in paths} for top, paths in inner.items()}
    for top, paths in inner.items():
        if len(splits := {split for path in paths if (split := split_of(_last(path)))}) > 1:
            what = f"holds {', '.join(sorted(splits))}, as not every folder beside it does"
            raise _ambiguous(folder, inner, top, paths[0], what)
    for first, second in combinations([top for top in inner if below[top] or splits_in(top)], 2):
        if both := below[first] & below[second]:
            raise _ambiguous(folder, inner, first, second, f"both hold a folder {min(both)}")
        meant = splits_in(first), splits_in(second)
        if all(meant) and (meant[0] != meant[1] or (split_of(first) and split_of(second))):
            raise _ambiguous(folder, inner, first, second, "both are named as splits")
    for top, names in below.items():
        for other in inner:
            if folded(other) in names:
                raise _ambiguous(folder, inner, top, other, f"the one holds a folder {other}, too")
        if split_of(top) and names:
            other = next((one for one in inner if one != top), inner[top][0])
            raise _ambiguous(
                folder, inner, top, other, f"{top} is named as a split, and holds folders"
            )


def _ambiguous(folder: Path, tops: Collection[str], first: str, second: str, why: str) -> UserError:
    others = sorted(set(tops) - {first, second})
    return UserError(
        f"{folder}: the folders {first} and {second} may be splits or classes",
        "a folder for each class; or folders train, valid and test with the same classes in them, "
        "or in each class",
        f"{first} and {second}: {why}" + (f"; beside them {_first(others)}" if others else ""),
        "rename what are splits to train, valid and test, and take away what is neither; or, if "
        "these are classes, name all classes: dataset.classes=[…]",
    )


def _unpacked(folder: Path, top: str) -> str:
    """A folder of a split, or the one in it that an archive was unpacked to: train/train."""
    inner = _entries(folder, top, folders=True)
    is_again = len(inner) == 1 and split_of(_last(inner[0])) == split_of(_last(top))
    return _unpacked(folder, inner[0]) if is_again else top


def _entries(folder: Path, inner: str, *, folders: bool, links: bool = True) -> list[str]:
    """Paths, relative to `folder` and sorted, of the files or folders in its folder `inner`.

    A link to a folder counts as a folder if `links`, and otherwise as a file.
    """
    try:
        with os.scandir(folder / inner) as entries:
            found = [
                entry.name
                for entry in entries
                if not entry.name.startswith(".")
                and entry.name.lower() not in _LITTER
                and _is_folder(entry, links) == folders
            ]
    except OSError as error:
        raise UserError(
            f"{folder / inner} cannot be read", "a folder", str(error), "correct its rights"
        ) from error
    _require_utf8(folder / inner, found)
    return sorted(f"{inner}/{name}".lstrip("/") for name in found)


def _walk(folder: Path, inner: str) -> list[str]:
    """Paths of all files below a folder; does not follow links to folders: they may be circular."""
    found = _entries(folder, inner, folders=False, links=False)
    for path in _entries(folder, inner, folders=True, links=False):
        found += _walk(folder, path)
    return sorted(found)


def _is_folder(entry: os.DirEntry[str], links: bool) -> bool:
    try:
        return entry.is_dir(follow_symlinks=links)
    except OSError:  # a link in a circle
        return False


def _require_utf8(folder: Path, names: Sequence[str]) -> None:
    """Refuse names that no text can hold: no list, table or record could name the file."""
    wrong = [name for name in names if any("\udc80" <= letter <= "\udcff" for letter in name)]
    if wrong:
        raise UserError(
            f"{folder} holds files whose names are not UTF-8",
            "names in UTF-8",
            f"{len(wrong)}, of which the first is {os.fsencode(wrong[0])!r}",
            "rename them, for instance: convmv -r -f latin1 -t utf-8 --notest FOLDER",
        )


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _first(names: Sequence[str]) -> str:
    return ", ".join(sorted(names)[:5]) + (", …" if len(names) > 5 else "")
