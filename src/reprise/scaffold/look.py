"""Guess the settings of a dataset from a look at the data, by the datasets' own readers."""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from reprise.datasets.images.files import has_varying_alpha, read_header, read_mask
from reprise.datasets.images.folders import find_files, list_classes, list_images
from reprise.datasets.sound.recordings import read_header as read_sound
from reprise.datasets.splits import WORDS, split_of
from reprise.datasets.tables import Table, read_table
from reprise.errors import UserError

_MOST = 500  # files looked at, evenly spaced
_FEW = 20  # distinct whole numbers that are taken for classes
TABLES = (".csv", ".tsv", ".parquet", ".pq")
SOUNDS = (".wav", ".flac", ".ogg", ".oga", ".mp3", ".aiff", ".aif", ".opus")
_MASKS = ("mask", "label", "annot", "seg", "gt", "truth", "target")
_ROLES: Mapping[str, Sequence[str]] = {
    "label": ("label", "labels", "class", "target", "species", "category", "diagnosis", "y"),
    "recording": ("recording", "recordingid", "file", "filename", "path", "audio", "beginfile"),
    "t_min": ("tmin", "start", "starts", "onset", "begin", "begintimes", "from", "starttime"),
    "t_max": ("tmax", "stop", "end", "ends", "offset", "endtimes", "to", "endtime"),
    "group": ("group", "patient", "patientid", "subject", "subjectid"),
    "split": ("split", "subset", "partition"),
    "key": ("id", "key", "userid", "user", "sampleid", "sample"),
    "row": ("row", "i", "y", "r"),
    "column": ("column", "col", "j", "x", "c"),
}


class Guess(NamedTuple):
    """A setting, and why it is so; a reason that begins with FILL IN asks for a better value."""

    value: Any
    why: str = ""


Guesses = dict[str, Guess]  # by dotted key of conf/dataset/…


def masks(folder: Path, given: Mapping[str, Any]) -> Guesses:
    """Pictures and masks in two folders, or in two folders of one."""
    found: Guesses = {}
    stems = {
        one: {file.stem for file in one.iterdir() if _is_image(file)} for one in _folders(folder)
    }
    inner = sorted((one for one in stems if stems[one]), key=lambda one: len(one.name))
    others = [one for one in inner if not any(word in one.name.lower() for word in _MASKS)]
    named = [one for one in inner if one not in others and stems[one] == stems[others[0]]]
    if len(others) != 1 or not named:
        raise UserError(
            f"{folder} does not show which of its folders are pictures and which are masks",
            "two folders of PNG, JPEG or TIFF files, the second named mask, label, annotation, …",
            ", ".join(one.name for one in inner) or "no folder with images",
            "name them so, or say data= the folder that holds both",
        )
    images = folder / str(others[0].name)
    found["images"] = Guess(str(images))
    found["masks"] = Guess(str(named[0]), f"its name, beside {others[0].name}")
    names = list_images(images, "dataset.images")
    pictures = [images / name for name in names.values()]
    stored = [named[0] / name for name in list_images(named[0], "dataset.masks").values()]
    found |= _pictures(pictures, 256, 32) | _mask_mode(stored)
    if "pages" in found and read_header(stored[0]).pages > 1:
        found["pages"] = Guess("first", "masks have several pages too, and one page is one mask")
        del found["channels"]
    lists = {split_of(one.stem): one for one in sorted(folder.glob("*.txt"))}
    known = {*names, *names.values()}
    if {"train", "valid"} <= lists.keys():
        lines = [line for one in lists.values() for line in one.read_text("utf-8").split("\n")]
        if all(line.strip() in known or not line.strip() for line in lines):
            for split in ("train", "valid", "test"):
                file = lists.get(split)
                found[f"split.{split}"] = Guess(
                    str(file) if file else None, "these lists are there"
                )
    return found


def folder(place: Path, given: Mapping[str, Any]) -> Guesses:
    """Pictures in one folder per class."""
    listed = list_classes(place, given.get("classes"))
    found = {"folder": Guess(str(place))}
    found |= _pictures([place / file for file in listed.files], 128, 1)
    names = sorted({*listed.classes})
    found["classes"] = Guess(None, f"all folders: {_some(names)}")
    if (splits := {*listed.splits} - {""}) >= {"train", "valid"}:
        found["split"] = Guess(None, f"its folders are splits: {', '.join(sorted(splits))}")
    elif "test" in splits:
        found |= {
            "split.train": Guess(0.85),
            "split.valid": Guess(0.15),
            "split.test": Guess(None, "there is a folder of the test split"),
        }
    return found


def table(place: Path, given: Mapping[str, Any]) -> Guesses:
    """Pictures that a table lists."""
    base = place if place.is_dir() else place.parent
    best: tuple[int, Path, str, Path] | None = None
    for file in [place] if place.is_file() else _tables(place):
        read = read_table(str(file), "data")
        for column in read.frame:
            cells = [str(cell) for cell in read.frame[column].head(_FEW)]
            for start in (file.parent, *_folders(base)):
                there = sum(one.is_file() and _is_image(one) for one in find_files(start, cells))
                if there and (best is None or there > best[0]):
                    best = there, file, str(column), start
    if best is None:
        raise UserError(
            f"no table in {place} lists pictures",
            "a CSV or Parquet file with a column of the paths of PNG, JPEG or TIFF files",
            ", ".join(one.name for one in _tables(base)) or "no table",
            "give data= the folder with both, or the table",
        )
    _, file, column, start = best
    read = read_table(str(file), "data")
    found = {"table": Guess(str(file)), "path": Guess(column, "its cells are files that exist")}
    if start != file.parent:
        found["folder"] = Guess(str(start), "where the paths are found")
    files = find_files(start, [str(cell) for cell in read.frame[column]])
    found |= _pictures([one for one in files if one.is_file()], 128, 1)
    return found | _label(read, {column}, given)


def csv(place: Path, given: Mapping[str, Any]) -> Guesses:
    """Rows of a table."""
    file = _one(place, _tables, "a CSV or Parquet file")
    read = read_table(str(file), "data")
    found = {"table": Guess(str(file)), **_label(read, set(), given)}
    others = {str(found[key].value) for key in ("label", "group", "split") if key in found}
    found["columns"] = _columns(read, others)
    return found


def stream(place: Path, given: Mapping[str, Any]) -> Guesses:
    """Rows of tables of any length, of which the beginning is looked at."""
    files = [place] if place.is_file() else _tables(place)
    found = csv(_one(files[0] if files else place, _tables, "a CSV or Parquet file"), given)
    target = found.get("target", Guess("class")).value
    source = {
        "source._target_": Guess("reprise.datasets.streams.table_source.TableSource"),
        "source.files": Guess(str(files[0]) if len(files) == 1 else [str(one) for one in files]),
        **{f"source.{key}": found[key] for key in ("label", "target", "columns") if key in found},
    }
    if target != "value":
        read = read_table(str(files[0]), "data")
        cells = read.frame[str(found["label"].value)].astype(str).str.split(r"\|")
        names = sorted({name.strip() for cell in cells for name in cell} - {""})
        source["source.classes"] = Guess(names, f"those of {files[0].name}; FILL IN if more occur")
    return source


def recordings(place: Path, given: Mapping[str, Any]) -> Guesses:
    """Recordings, and a table that says what is heard when."""
    base = place if place.is_dir() else place.parent
    sounds = [one for one in sorted(base.rglob("*")) if one.suffix.lower() in SOUNDS]
    if not sounds:
        expected = f"files ending in {', '.join(SOUNDS)}"
        raise UserError(f"{base} holds no recording", expected, "none", "correct data=")
    inside = {one.relative_to(base).parts[0] for one in sounds}
    home = base / inside.pop() if len(inside) == 1 and len(sounds) > 1 else base
    files = [place] if place.is_file() else _tables(base)
    roles: dict[str, str] = {}
    for file in files:
        read = read_table(str(file), "data")
        roles = {role: _role(read, role) for role in ("recording", "label", "t_min", "t_max")}
        if all(roles.values()):
            break
    if not files or not all(roles.values()):
        file = _joined_tracks(base, sounds)
        home, roles = base, {}
        read = read_table(str(file), "data")
    found = {"annotations": Guess(str(file)), "recordings": Guess(str(home))}
    if roles:
        other = {role: name for role, name in roles.items() if role != name}
        found |= {f"columns.{role}": Guess(name, "its name") for role, name in other.items()}
    spans = read.numbers(roles.get("t_max", "t_max"), "data") - read.numbers(
        roles.get("t_min", "t_min"), "data"
    )
    length = next((one for one in (0.5, 1, 2, 3, 5) if one >= np.quantile(spans, 0.9)), 10)
    long = f"nine of ten annotations are shorter than {float(np.quantile(spans, 0.9)):.3g} s"
    found["window_s"] = Guess(float(length), long)
    headers = [read_sound(one) for one in _evenly(sounds)]
    rate = Counter(header.rate for header in headers).most_common(1)[0][0]
    kept = min(rate, 22050)
    found["sample_rate"] = Guess(kept, f"most recordings have {rate} Hz")
    size = 2 ** round(float(np.log2(kept * 0.064)))
    found["mel.n_fft"] = Guess(size, "64 ms")
    found["mel.hop_length"] = Guess(size // 4, "a quarter of that")
    if min(header.seconds for header in headers) < length:
        found["edges"] = Guess("pad", "some recordings are shorter than the window")
    return found


def arrays(place: Path, given: Mapping[str, Any]) -> Guesses:
    """Inputs and labels in a `.npz` file, or in `.npy` files."""
    is_npz = place.suffix.lower() == ".npz"
    file = place
    if place.is_dir() and (inside := sorted(place.glob("*.npz"))):
        file, is_npz = _one(place, lambda _: inside, "one .npz file"), True
    if is_npz:
        with np.load(file, allow_pickle=False) as opened:
            shapes = {name: opened[name] for name in opened.files}
    else:
        home = place if place.is_dir() else place.parent
        shapes = {str(one): np.load(one, mmap_mode="r") for one in sorted(home.glob("*.npy"))}
    names = {Path(name).stem.lower().replace("_train", ""): name for name in shapes}
    first = next((names[one] for one in ("x", "images", "inputs", "data") if one in names), "")
    label = next((names[one] for one in ("y", "labels", "targets", "label") if one in names), "")
    if len(shapes) > 1 and not (first and label):
        by_axes = sorted(shapes, key=lambda name: -shapes[name].ndim)
        first, label = (first or by_axes[0]), (label or by_axes[-1])
    if len(shapes) < 2 or len(shapes[first]) != len(shapes[label]):
        held = ", ".join(f"{name} {one.shape}" for name, one in shapes.items())
        expected = "an array x of inputs and an array y of labels, of one length"
        raise UserError(f"{place} has no inputs and labels", expected, held, "name them x and y")
    found = {"file": Guess(str(file) if is_npz else None), "x": Guess(first), "y": Guess(label)}
    tests = [names.get(f"{one}_test") for one in ("x", "y")]
    if all(tests):
        found |= {
            "x_test": Guess(tests[0]),
            "y_test": Guess(tests[1]),
            "split.train": Guess(0.85),
            "split.valid": Guess(0.15),
            "split.test": Guess(None, "there are arrays of the test set"),
        }
    y = np.asarray(shapes[label])
    if y.dtype.kind == "f" and not (y == np.round(y)).all():
        found["target"] = Guess("value", f"{label} holds numbers with fractions")
    elif y.dtype.kind in "iuf" and y.ndim == 2 and y.shape[1] > 1 and {*np.unique(y)} <= {0, 1}:
        if (y.sum(axis=1) != 1).any():
            found["target"] = Guess("labels", f"{label} holds 0 and 1, several in a row")
    elif y.dtype.kind in "iuf" and len(np.unique(y)) > max(_FEW * 5, len(y) // 20):
        found["target"] = Guess("value", f"{label} holds {len(np.unique(y))} different numbers")
    return found


def rows(url: Path | str, given: Mapping[str, Any]) -> Guesses:
    """Rows of a SQL table, one for each cell of a matrix."""
    import sqlalchemy as sa

    from reprise.datasets.sql.database import Database, parse_url

    text = f"sqlite:///{url}" if isinstance(url, Path) else url
    variable, parsed, note = str(given.get("password_variable", "DB_PASSWORD")), parse_url(text), ""
    if parsed.password:  # is not written
        os.environ.setdefault(variable, str(parsed.password))
        note = f"its password is not written; FILL IN {variable} in the environment"
        text = parsed._replace(password=None).render_as_string()
    database = Database(text, variable, 0.0)
    with database.connect() as connection:
        seen = sa.inspect(connection)
        names = [*seen.get_table_names(), *seen.get_view_names()]
        name = str(given.get("table") or (names[0] if len(names) == 1 else ""))
        if not name:
            listed = ", ".join(names) or "none"
            raise UserError(
                f"{database} holds {len(names)} tables", "one", listed, "add dataset.table=NAME"
            )
        schema, _, plain = name.rpartition(".")
        types = {one["name"]: one["type"] for one in seen.get_columns(plain, schema or None)}
        keys: list[str] = list(seen.get_pk_constraint(plain, schema or None)["constrained_columns"])
        indexed: list[Any] = [
            one["column_names"] for one in seen.get_indexes(plain, schema or None)
        ]
        whole = [one for one in [keys, *indexed] if len(one) == 3]
        keys = (
            whole[0]
            if whole
            else [
                next((one for one in types if _plain(one) in _ROLES[role]), "")
                for role in _ROLES_OF_CELL
            ]
        )
        values = [
            one
            for one, kind in types.items()
            if one not in keys and isinstance(kind, sa.Numeric | sa.Float | sa.Integer)
        ]
        if not all(keys) or len({*keys}) < 3 or not values:
            raise UserError(
                f"table {name} does not show where the cells of a matrix stand",
                "a primary key or an index of three columns (id, row, column), and numbers",
                ", ".join(f"{one} {kind}" for one, kind in types.items()),
                "make a view with the columns id, row, column and value; a table whose rows are "
                "samples is exported as CSV, for kind=csv",
            )
        cells = sa.table(plain, *map(sa.column, keys), schema=schema or None)
        query = sa.select(*(sa.func.max(cells.c[one]) for one in keys[1:]))
        size = [int(most) + 1 for most in connection.execute(query).one()]
    why = "the table's key, or the columns' names"
    return {
        "url": Guess(text, note),
        "table": Guess(name, "the only one"),
        "size": Guess(size, f"the greatest {keys[1]} and {keys[2]}, and 1"),
        **{
            f"columns.{role}": Guess(one, why)
            for role, one in zip(_ROLES_OF_CELL, keys, strict=True)
        },
        "values": Guess(values, "the other columns of numbers"),
    }


_ROLES_OF_CELL = ("key", "row", "column")
KINDS: Mapping[str, tuple[str, str, Callable[..., Guesses]]] = {  # dataset, sample data, look
    "masks": ("image_mask", "segmentation", masks),
    "folder": ("image_folder", "digits/folders", folder),
    "table": ("image_table", "digits/table.csv", table),
    "recordings": ("mel_spectrogram", "audio", recordings),
    "rows": ("sql_matrix", "denoise/matrices.db", rows),
    "arrays": ("arrays", "digits/digits.npz", arrays),
    "csv": ("csv_rows", "iris/iris.csv", csv),
    "stream": ("stream", "iris/iris.csv", stream),
}


def kind_of(place: Path) -> str:
    """The key of `KINDS` that a file or a folder most likely is; '' if it is none of them."""
    if place.is_file():
        kinds = {".npz": "arrays", ".db": "rows", ".sqlite": "rows", ".sqlite3": "rows"}
        return kinds.get(place.suffix.lower(), "csv" if place.suffix.lower() in TABLES else "")
    files = [one for one in place.rglob("[!.]*") if one.is_file()]
    if any(one.suffix.lower() in SOUNDS for one in files):
        return "recordings"
    stems = {one.name: {file.stem for file in one.iterdir()} for one in _folders(place)}
    named = [name for name in stems if any(word in name.lower() for word in _MASKS)]
    if any(stems[name] & stems[other] for name in named for other in stems.keys() - {*named}):
        return "masks"
    pictures = [one for one in files if _is_image(one)]
    if _tables(place):
        return "table" if pictures else "csv"
    if not pictures:
        return "arrays" if any(one.suffix in (".npy", ".npz") for one in files) else ""
    return "folder" if all(one.parent != place for one in pictures) else ""


def _pictures(paths: Sequence[Path], limit: int, step: int) -> Guesses:
    """Size, channels and pages: sides are multiples of `step`, the longer one at most `limit`."""
    headers = [read_header(path) for path in _evenly(paths)]
    sizes = Counter((header.height, header.width) for header in headers)
    height, width = (int(np.median([header[axis] for header in headers])) for axis in (0, 1))
    scale = min(1.0, limit / max(height, width))
    size = [max(step, round(side * scale / step) * step) for side in (height, width)]
    looked = f"{len(headers)} of {len(paths)}" if len(headers) < len(paths) else f"all {len(paths)}"
    are = (
        f"are {height} x {width}" if len(sizes) == 1 else f"differ, their median {height} x {width}"
    )
    bands = max(header.bands - header.has_alpha for header in headers)
    found = {
        "image_size": Guess(size, f"{looked} pictures {are}"),
        "channels": Guess(bands, f"{bands} value(s) in each pixel, alpha not counted"),
    }
    most = (
        max(header.pages for header in headers if header.is_tiff)
        if any(header.is_tiff for header in headers)
        else 1
    )
    if most > 1:
        found["pages"] = Guess("channels", f"each file has {most} pages, which are stacked")
        found["channels"] = Guess(most * bands, f"{most} pages of {bands} value(s)")
    return found


def _mask_mode(files: Sequence[Path]) -> Guesses:
    looked = _evenly(files)
    try:
        values = {int(one) for file in looked for one in np.unique(read_mask(file, "values"))}
    except UserError as error:
        if read_header(looked[0]).has_alpha and has_varying_alpha(looked[0]):
            return {"mask_mode": Guess("alpha", "their alpha varies")}
        if "colour" not in str(error):
            raise
        colors: set[tuple[int, ...]] = set()
        for file in looked:
            colors |= set(
                map(tuple, np.unique(read_mask(file, "colors").reshape(-1, 3), axis=0).tolist())
            )
        listed = {"rgb_" + "_".join(map(str, one)): list(one) for one in sorted(colors)}
        why = f"{len(colors)} colours occur; FILL IN their names"
        return {"mask_mode": Guess("colors", "they are in colour"), "colors": Guess(listed, why)}
    if values <= {0, 1} or values <= {0, 255}:
        return {"mask_mode": Guess("binary", f"their values are {_some(sorted(values))}")}
    ids = sorted(values - {255})
    names = [f"class_{one}" for one in range(ids[-1] + 1)]
    found = {
        "mask_mode": Guess("ids", f"their values are {_some(sorted(values))}"),
        "classes": Guess(names, f"FILL IN the names of the ids 0 to {ids[-1]}"),
    }
    return found | (
        {"ignore": Guess([255], "the usual value of what is not labelled")} if 255 in values else {}
    )


def _label(read: Table, others: set[str], given: Mapping[str, Any]) -> Guesses:
    """The label of a table's rows, and what it is; their groups and splits."""
    rest = [str(name) for name in read.frame if name not in others]
    named = given.get("label") or _role(read, "label")
    label = named if isinstance(named, str) and named else rest[-1]
    found = {"label": Guess(label, "its name" if named else "the last column")}
    cells = read.frame[label].dropna().astype(str).str.strip() if label in read.frame else []
    distinct, count = {*cells}, len(cells)
    fractions = False
    with suppress(UserError):
        numbers = read.numbers(label, "data")
        fractions = bool((numbers != np.round(numbers)).any()) or len(distinct) > max(
            _FEW, count // 20
        )
    if any("|" in one for one in distinct):
        found["target"] = Guess("labels", f"cells of {label} have several names, with | between")
    elif fractions:
        found["target"] = Guess("value", f"{label} holds {len(distinct)} different numbers")
    else:
        found["target"] = Guess("class", f"{label} has {len(distinct)}: {_some(sorted(distinct))}")
    name = _role(read, "split")
    if name and {one.lower() for one in read.frame[name].dropna().astype(str)} <= {*WORDS}:
        found["split"] = Guess(name, "a column of the words train, valid and test")
    if (name := _role(read, "group")) and "split" not in found:
        found["group"] = Guess(name, "what has one value there stays in one split")
    return found


def _columns(read: Table, others: set[str]) -> Guess:
    """The inputs: columns of numbers that do not count the rows."""
    kept: list[str] = []
    left: list[str] = []
    for name in (str(one) for one in read.frame if str(one) not in others):
        try:
            numbers = read.numbers(name, "data")
        except UserError:
            left.append(name)
            continue
        steps = {round(float(b - a), 6) for a, b in pairwise(numbers[:1000].astype(float))}
        (left if steps == {1.0} or name.startswith("Unnamed") else kept).append(name)
    if not left:
        return Guess(None, "all other columns are numbers")
    return Guess(kept or None, f"the other columns of numbers; not {_some(left)}")


def _joined_tracks(base: Path, sounds: Sequence[Path]) -> Path:
    """Write one table of label tracks of Audacity, or of folders of classes, beside the data."""
    lines = []
    for sound in sounds:
        track = sound.with_suffix(".txt")
        if track.is_file():
            for line in track.read_text("utf-8-sig").splitlines():
                cells = line.split("\t")
                if len(cells) == 3 and cells[0] != "\\":  # a line of frequencies follows some
                    lines.append((sound.relative_to(base), *cells))
        elif sound.parent != base:
            lines.append(
                (
                    sound.relative_to(base),
                    "0",
                    f"{read_sound(sound).seconds:.6f}",
                    sound.parent.name,
                )
            )
    if not lines:
        raise UserError(
            f"{base}: nothing says what is heard in the recordings",
            "a table with columns for recording, label, start and end; a label track of Audacity "
            "(a.txt) beside each recording (a.wav); or a folder of recordings for each class",
            f"{len(sounds)} recordings, and none of these",
            "add one; docs/your_recordings.md describes them",
        )
    file = base.with_name(f"{base.name}.annotations.csv")
    rows = [
        "recording,t_min,t_max,label",
        *(",".join(f'"{cell}"' for cell in one) for one in lines),
    ]
    file.write_text("\n".join(rows) + "\n", "utf-8")
    return file


def _role(read: Table, role: str) -> str:
    """The column whose name stands for a role; '' if there is none."""
    by_name = {_plain(str(name)): str(name) for name in reversed([*read.frame])}
    return next((by_name[one] for one in _ROLES[role] if one in by_name), "")


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _one(place: Path, inside: Callable[[Path], Sequence[Path]], expected: str) -> Path:
    if place.is_file():
        return place
    found = inside(place)
    if len(found) != 1:
        received = ", ".join(one.name for one in found) or "none"
        raise UserError(
            f"{place} does not show which file is meant", expected, received, "data=FILE"
        )
    return found[0]


def _tables(place: Path) -> list[Path]:
    return [one for one in sorted(place.iterdir()) if one.suffix.lower() in TABLES]


def _folders(place: Path) -> list[Path]:
    return [one for one in sorted(place.iterdir()) if one.is_dir() and one.name[0] != "."]


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in (".png", ".jpg", ".jpeg", ".tif", ".tiff")


def _evenly(paths: Sequence[Path]) -> Sequence[Path]:
    return paths[:: max(1, -(-len(paths) // _MOST))]


def _some(names: Sequence[object]) -> str:
    return ", ".join(map(str, names[:8])) + (", …" if len(names) > 8 else "")
