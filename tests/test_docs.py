"""The README and the pages of docs/: every block of them is run, or says why not.

Blocks of a page are run in page order, in one copy of the checkout whose trainings are short:

- `sh`: commands, as typed. `console`: commands behind `$ `, and what they print, to the letter.
- `text` below either: what it prints. `…` is a line or a part that is left out, any number will do.
- `python`: a program. A block of any language with a `title` is the content of a file.
- `<!-- not run: why -->` before a block leaves it out; `<!-- first: command -->` runs it before.

/my/ and /new/ are a folder with the user's own data, in which there are few and small files.
ID stands for `last`, and A,B for the last two runs.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml
from datasets.mariadb import Server
from markdown_it import MarkdownIt
from tiny import ROOT, git, new_store, write_arrays, write_blobs

from reprise.config.files import CONF

PAGES = ["README.md", *sorted(str(file.relative_to(ROOT)) for file in ROOT.glob("docs/*.md"))]
RUN = {"sh", "console", "python"}
LANGUAGES = RUN | {"text", "yaml", "csv"}
SERVER = re.compile(r"make (serve|ui)\b|make docs args=serve")
WAIT_S = 300


@dataclass(frozen=True)
class Block:
    """A block of a page: where, in which language, and what its remarks say."""

    place: str
    language: str
    text: str
    title: str | None
    first: str | None
    not_run: str | None

    @property
    def is_run(self) -> bool:
        return self.language in RUN and self.title is None and self.not_run is None


def blocks(page: str) -> list[Block]:
    found, remarks = [], ""
    for token in MarkdownIt().enable("table").parse((ROOT / page).read_text()):
        if token.type == "html_block":
            remarks += token.content
        elif token.type == "fence":
            language, _, rest = token.info.partition(" ")
            title = re.search(r'title="(.*?)"', rest)
            first = re.search(r"<!-- first: (.*?) -->", remarks, re.DOTALL)
            why = re.search(r"<!-- not run: (.*?) -->", remarks, re.DOTALL)
            said = [one and one[1] for one in (title, first, why)]
            place = f"{page}:{token.map[0] + 1}"
            found.append(Block(place, language, token.content, *said))
            remarks = ""
        elif token.type == "inline":
            remarks = ""
    return found


BLOCKS = {page: blocks(page) for page in PAGES}
EVERY = [block for page in PAGES for block in BLOCKS[page]]


def test_every_block_is_run_or_says_why_not():
    assert len(PAGES) >= 32
    assert len(EVERY) >= 85
    assert len([block for block in EVERY if block.is_run]) >= 55
    assert [block.place for block in EVERY if block.language not in LANGUAGES] == []
    assert len([block for block in EVERY if block.not_run]) <= 20


def test_links_lead_somewhere():
    links = [
        (page, target)
        for page in PAGES
        for target in re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text())
        if "://" not in target
    ]
    assert len(links) >= 60
    broken = []
    for page, target in links:
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append((page, target))
    assert broken == []


def anchors(file: Path) -> set[str]:
    """Names of a page's headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def dotted(node: object, prefix: str) -> set[str]:
    """Every key of a YAML file, from the outermost to the innermost."""
    if not isinstance(node, dict):
        return set()
    keys = {f"{prefix}.{key}": item for key, item in node.items()}
    return set(keys).union(*(dotted(item, key) for key, item in keys.items()))


def test_every_key_that_a_page_names_is_in_conf():
    known = set()
    for file in CONF.glob("*/*.yaml"):
        node = yaml.safe_load(file.read_text())
        known |= dotted(node, file.parent.name)
        known |= {key.split(".", 1)[1] for key in dotted(node, "experiment")}
    known.add("model.width")  # of the model that docs/add_a_model.md makes
    groups = "|".join(file.name for file in CONF.iterdir() if file.is_dir())
    named = {
        (page, key)
        for page in PAGES
        for key in re.findall(rf"\b((?:{groups})\.[a-z_.]+\b)=", (ROOT / page).read_text())
        if key not in {"loader.batchsize", "optimizer.learningrate"}  # mistakes that README shows
    }
    assert len(named) >= 100
    assert [one for one in sorted(named) if one[1] not in known] == []


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the working tree with one commit, its own environment, and short trainings."""
    root = tmp_path_factory.mktemp("docs") / "reprise"
    for name in git(ROOT, "ls-files", "-co", "--exclude-standard").splitlines():
        if (ROOT / name).exists():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name, follow_symlinks=False)
    for file in [root / "conf/trainer/default.yaml", *root.glob("conf/experiment/*.yaml")]:
        text = re.sub(r"\bepochs: \d+", "epochs: 2", file.read_text())
        text = text.replace("steps_per_epoch: null", "steps_per_epoch: 2")
        file.write_text(text.replace("image_size: [96, 96]", "image_size: [32, 32]"))
    git(root, "init", "-q")
    git(root, "config", "user.name", "a")
    git(root, "config", "user.email", "a@b")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "as it stands")
    site = root / ".venv" / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
    site.mkdir(parents=True)
    # the packages, but not their editable reprise: a .pth of a folder added so is not read
    (site / "packages.pth").write_text(f"{root}/src\n{sysconfig.get_path('purelib')}\n")
    (root / ".venv/bin").symlink_to(Path(sys.prefix, "bin"))
    shutil.copy(Path(sys.prefix, "pyvenv.cfg"), root / ".venv")
    (root / ".venv/.ready").write_text(str(root))
    new_store(root)
    return root


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what a page supposes a user to have in /my/ and /new/."""
    folder = tmp_path_factory.mktemp("user")
    my = folder / "my"
    write_blobs(my, 120)
    cv2.imwrite(str(my / "images/000.png"), np.zeros((64, 64, 3), np.uint8))  # for quarantine
    write_blobs(folder / "new", 20)
    for at, image in enumerate(sorted((my / "images").iterdir())[1:31]):
        photos = my / "photos" / ("cat", "dog")[at % 2]
        photos.mkdir(parents=True, exist_ok=True)
        shutil.copy(image, photos)
    shutil.copytree(my / "photos", my / "bees")
    np.savez(folder / "new/digits.npz", x=np.zeros((5, 28, 28), np.uint8))
    table = {"file": [f"images/{at:03d}.png" for at in range(1, 25)], "animal": 12 * ["cat", "dog"]}
    pd.DataFrame(table).to_csv(my / "photos.csv", index=False)
    for name in ("arrays", "mnist_10k"):
        arrays = np.load(write_arrays(my / "birds.npz"))
        np.savez(my / f"{name}.npz", images=arrays["x"], labels=arrays["y"])
    write_street(my / "camvid")
    write_calls(my)
    write_digits(my / "spoken")
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(size=(60, 2)), columns=["width", "height"])
    rows["species"] = rng.choice(["owl", "frog"], len(rows))
    rows["price"] = rng.uniform(1, 9, len(rows))
    rows.to_csv(my / "rows.csv", index=False)
    hours = pd.MultiIndex.from_product([range(40), range(24), range(7)])
    clicks = hours.to_frame(index=False, name=["user_id", "hour", "weekday"])
    clicks["clicks"] = rng.poisson(3, len(clicks))
    clicks.to_csv(my / "clicks.csv", index=False)
    return folder


def write_street(folder: Path) -> None:
    """Twelve images with masks of eleven classes and one to ignore, and lists of the splits."""
    write_blobs(folder, 12)
    for at, mask in enumerate(sorted((folder / "masks").iterdir())):
        ids = np.where(cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE) > 0, at % 11, 11)
        cv2.imwrite(str(mask), ids.astype(np.uint8))
    for at, split in enumerate(("train", "val", "test")):
        names = [f"{index:03d}.png\n" for index in range(4 * at, 4 * at + 4)]
        (folder / f"{split}.txt").write_text("".join(names))


def write_sound(file: Path, seconds: float, rate: int, seed: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).normal(scale=0.1, size=int(seconds * rate))
    soundfile.write(file, noise.astype(np.float32), rate)


def write_calls(folder: Path) -> None:
    """Eight recordings, each with a label track of Audacity, and the table of all of them."""
    rows = []
    for at in range(8):
        write_sound(folder / f"recordings/site_{at:02d}.flac", 10, 16000, at)
        calls = [(1.0, 1.8, "buzz"), (4.0, 4.4, "whistle"), (7.5, 8.3, ("buzz", "whistle")[at % 2])]
        rows += [(f"site_{at:02d}.flac", *call) for call in calls]
        track = "".join(f"{start}\t{end}\t{label}\n" for start, end, label in calls)
        (folder / f"recordings/site_{at:02d}.txt").write_text(track)
    columns = ["recording", "t_min", "t_max", "label"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "table.csv", index=False)


def write_digits(folder: Path) -> None:
    """Forty recordings of four speakers, with three digits in each."""
    rows = []
    for speaker in ("george", "jackson", "nicolas", "theo"):
        for at in range(10):
            name = f"{speaker}_{at:02d}"
            write_sound(folder / f"recordings/{name}.flac", 4, 8000, at)
            for start in (0.2, 1.5, 2.9):
                digit = (at + int(start)) % 10
                rows.append((name, digit, speaker, start, start + 0.5))
    columns = ["recording_id", "label", "speaker", "t_min", "t_max"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "annotations.csv", index=False)


PLAIN = [page for page in PAGES if any(block.is_run for block in BLOCKS[page])]


@pytest.mark.slow
@pytest.mark.parametrize("page", PLAIN)
def test_the_blocks_of_a_page_do_as_it_says(page, checkout, user, request):
    reader = Reader(checkout, user)
    if "mysql" in "".join(block.text for block in BLOCKS[page] if block.is_run):
        reader.environment |= shop(request.getfixturevalue("mariadb"))
    try:
        for block in BLOCKS[page]:
            reader.follow(block)
    finally:
        reader.end()


def shop(server: Server) -> dict[str, str]:
    """Make the database of the pages, and the variable that leads clients of localhost to it."""
    server.execute("CREATE DATABASE shop")
    server.execute("CREATE USER user@localhost IDENTIFIED BY '…'")
    server.execute("GRANT ALL ON shop.* TO user@localhost")
    return {"MYSQL_UNIX_PORT": str(server.socket)}


class Reader:
    """Types a page's blocks, in a copy of the checkout."""

    def __init__(self, root: Path, user: Path) -> None:
        self.root, self.user = root, user
        self.ports = {port: free_port() for port in ("5000", "5001", "5002")}
        self.server: subprocess.Popen[str] | None = None
        self.printed = ""
        self.titles: set[str] = set()  # of files that this page has written: it adds to them
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
        self.environment = {**clean, "PATH": f"{root}/.venv/bin:{os.environ['PATH']}"}

    def follow(self, block: Block) -> None:
        """Do what a reader does with a block.

        Raises:
            AssertionError: what is typed fails, or prints something else.
        """
        if block.first:
            self.type(self.filled(block.first), block.place)
        if block.not_run:
            return
        text = self.filled(block.text)
        if block.title:
            file = self.root / block.title
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("a" if block.title in self.titles else "w") as out:
                out.write(text)
            self.titles.add(block.title)
        elif block.language == "python":
            self.type(f"python - <<'END'\n{text}\nEND", block.place)
        elif block.language == "sh":
            self.type(text, block.place)
        elif block.language == "console":
            commands = re.findall(r"^\$ (.*)$", text, re.MULTILINE)
            self.type("\n".join(commands), block.place, may_fail=True)
            expected = [line for line in text.splitlines() if not line.startswith("$ ")]
            compare(expected, self.printed, block.place)
        elif block.language == "text":
            compare(masked(text).splitlines(), masked(self.printed), block.place)

    def filled(self, text: str) -> str:
        """Put the test's folder, ports and runs where a page has names that stand for them."""
        text = re.sub(r"(?<![\w.])/(my|new)/", rf"{self.user}/\1/", text)
        for port, free in self.ports.items():
            text = re.sub(rf"\b{port}\b", free, text)
        text = re.sub(r"\b(run|sweep)=ID\b", r"\1=last", text)
        if "=A,B" in text:
            runs = sorted(file.parent.name for file in self.root.glob("runs/*/*/result.json"))
            text = text.replace("=A,B", "=" + ",".join(runs[-2:]))
        return text

    def type(self, text: str, place: str, may_fail: bool = False) -> None:
        """Type commands; the last one may be a server, which then answers until the page ends."""
        if SERVER.match(text):
            self.serve(text.strip(), place)
            return
        with tempfile.TemporaryFile("w+") as out:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", text],
                cwd=self.root, env=self.environment, stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip
            out.seek(0)
            self.printed = out.read()
        assert may_fail or done.returncode == 0, f"{place}\n{text}\n{self.printed[-4000:]}"

    def serve(self, command: str, place: str) -> None:
        self.end()
        default = "5000" if " ui" in command else "5001"
        typed = re.search(r"port=(\d+)", command)
        port = typed[1] if typed else self.ports[default]
        self.server = subprocess.Popen(
            ["bash", "-c", f"exec {command} port={port}"],
            cwd=self.root, env=self.environment, start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + WAIT_S
        while not answers(port):
            assert self.server.poll() is None, f"{place}\n{command}"
            assert time.monotonic() < deadline, f"{place}\n{command}"
            time.sleep(0.2)

    def end(self) -> None:
        if self.server is not None:
            os.killpg(self.server.pid, signal.SIGTERM)
            self.server.wait(WAIT_S)
            self.server = None


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


def answers(port: str) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", int(port))) == 0


def masked(text: str) -> str:
    """Take out what differs from run to run: ids, numbers, and the widths that follow from them."""
    text = re.sub(r"\b\d{8}-\d{6}-[0-9a-f]{4}\b|(?<![^\W_])[0-9a-f]{4}(?![^\W_])", "0", text)
    text = re.sub(r"[-+]?\d[\d.,]*(e[-+]?\d+)?[*]?", "0", text)
    return re.sub(r"-+", "-", re.sub(r"[ \t]+", " ", text))


def compare(expected: list[str], printed: str, place: str) -> None:
    """Find each expected line in what was printed, in this order."""
    lines = iter(line.strip() for line in printed.splitlines())
    for wanted in expected:
        parts = [re.escape(part) for part in wanted.strip().split("…")]
        if any(parts):
            found = any(re.fullmatch(".*".join(parts), line) for line in lines)
            assert found, f"{place}: not printed, or not here:\n{wanted}\nof\n{printed[-4000:]}"
