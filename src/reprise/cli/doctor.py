"""Say what this machine has, and what to do about what is missing: `reprise doctor`.

Only Python's own library is needed: `python3 src/reprise/cli/doctor.py` works without a .venv. Exit
code 2 if something that training needs is missing, else 0. With `tensorflow=true` TensorFlow is
asked for its devices; otherwise it is not imported.
"""

import configparser
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = ("tensorflow", "keras", "mlflow", "dvc")  # without which nothing trains
HEADERS = "sudo apt-get install build-essential pkg-config default-libmysqlclient-dev"
SITE = Path(sysconfig.get_path("purelib"))
Finding = tuple[str, str, str]  # the thing, what was found, and what to do if it is not right
NEEDED = "! "  # begins what has to be done before anything trains


def main(argv: list[str]) -> None:
    """Print a line for each thing."""
    here = Path.cwd()
    root = next((one for one in (here, *here.parents) if (one / "conf").is_dir()), here)
    is_missing = False
    for look in (python, libraries, programs, gpu, machine, database, data, store):
        for what, found, remedy in look(root):
            mark = "MISS" if remedy.startswith(NEEDED) else "note" if remedy else "OK"
            to_do = f"; to do: {remedy.removeprefix(NEEDED)}" if remedy else ""
            print(f"{mark:<5} {what:<12} {found}{to_do}", flush=True)
            is_missing |= mark == "MISS"
    if "tensorflow=true" in argv:
        from tensorflow import config

        print(*(one.name for one in config.list_physical_devices()))
    if is_missing:
        sys.exit(2)


def python(root: Path) -> Iterator[Finding]:
    """Python, and whether it finds its packages compiled."""
    remedy = "" if (3, 11) <= sys.version_info[:2] <= (3, 13) else "take 3.11, 3.12 or 3.13"
    is_old = sys.version_info < (3, 11)
    yield "Python", f"{sys.version.split()[0]}, {sys.executable}", NEEDED * is_old + remedy
    if os.environ.get("PYTHONDONTWRITEBYTECODE") and (SITE / "tensorflow").is_dir():
        is_slow = not (SITE / "tensorflow/python/__pycache__").is_dir()
        remedy = "make setup compiles all; else each start takes ten seconds more" * is_slow
        yield "bytecode", "PYTHONDONTWRITEBYTECODE is set", remedy


def libraries(root: Path) -> Iterator[Finding]:
    """The libraries, against the lock file."""
    lock = root / "requirements.lock"
    text = lock.read_text("utf-8") if lock.is_file() else ""
    for name in LIBRARIES:
        there, locked = _version(name), re.findall(rf"^{name}==([^ ;\\]+)", text, re.MULTILINE)
        is_other = bool(locked) and there not in locked
        remedy = f"make setup, for {' or '.join(locked)}" if is_other else ""
        yield name, there or "not installed", remedy if there else f"{NEEDED}make setup"


def programs(root: Path) -> Iterator[Finding]:
    """Git and uv."""
    said = _said("git", "--version")
    yield "git", said or "none", "" if said else "install it; runs do not record the code"
    said = _said(f"{Path(sys.executable).parent}/uv", "--version") or _said("uv", "--version")
    yield "uv", said or "none", "" if said else "make setup; reproduce rebuilds environments by it"


def gpu(root: Path) -> Iterator[Finding]:
    """GPUs, their driver, and what TensorFlow needs for them."""
    query = "--query-gpu=name,memory.total,driver_version"
    cards = _said("nvidia-smi", query, "--format=csv,noheader").splitlines()
    for card in cards:
        yield "GPU", f"{card} (driver)", ""
    if cards and not (SITE / "nvidia/cudnn").is_dir():
        yield "CUDA", "not installed", "make setup; until then the CPU trains"
    if not cards and (shutil.which("nvidia-smi") or Path("/proc/driver/nvidia/gpus").is_dir()):
        yield "GPU", "the driver does not answer", "nvidia-smi says why; until then the CPU trains"
    elif not cards:
        yield "GPU", "none, the CPU trains", ""


def machine(root: Path) -> Iterator[Finding]:
    """Processor, memory and disks that this process may use."""
    yield "CPU", f"{len(os.sched_getaffinity(0))} core(s)", ""
    with suppress(OSError):
        text = Path("/proc/meminfo").read_text()
        free = int(re.findall(r"MemAvailable: +(\d+)", text)[0]) / 1e6
        with suppress(OSError, ValueError):  # of a container
            free = min(free, int(Path("/sys/fs/cgroup/memory.max").read_text()) / 1e9)
        yield "memory", f"{free:.1f} GB free", "end other programs, or small batches" * (free < 2)
    for name, place in (("project", root), ("temporary", Path(tempfile.gettempdir()))):
        free = shutil.disk_usage(place).free / 1e9
        remedy = f"{NEEDED}make room" if free < 0.1 else "make room" * (free < 2)
        remedy = remedy if os.access(place, os.W_OK) else f"{NEEDED}get the right to write there"
        yield name, f"{place}, {free:.1f} GB free", remedy
    if not (root / "conf").is_dir():
        yield "project", "no conf/ here", "go to a project, or make new-project"


def database(root: Path) -> Iterator[Finding]:
    """What data in MySQL and MariaDB need."""
    there = _version("mysqlclient")
    known = ("mysqlclient", "libmariadb")
    has_headers = any(_said("pkg-config", "--modversion", one) for one in known)
    locks = [one.read_text("utf-8") for one in root.glob("requirements*.lock")]
    adds = "mysqlclient among the dependencies of pyproject.toml, make lock, "
    adds = "" if any("mysqlclient==" in one for one in locks) else adds
    first = "" if has_headers else f"{HEADERS}; "
    remedy = f"{first}{adds}make setup, if your data are in MySQL"
    yield "MySQL", f"mysqlclient {there or 'is not installed'}", "" if there else remedy


def data(root: Path) -> Iterator[Finding]:
    """DVC's remotes, their packages, and data that are not pulled yet."""
    config = configparser.ConfigParser(interpolation=None)
    with suppress(configparser.Error):
        config.read([root / ".dvc/config", root / ".dvc/config.local"])
    urls = [config[one].get("url", "") for one in config.sections() if "remote " in one]
    for url in urls:
        kind = url.partition("://")[0] if "://" in url else ""
        lacks = kind in ("s3", "gs", "azure", "ssh") and not _version(f"dvc-{kind}")
        remedy = f"make setup args={kind}" if lacks else ""
        if not kind and not (root / ".dvc" / url).exists():
            remedy = "mount it; the first dvc push makes it"
        yield "DVC remote", _shown(url), remedy
    if not urls:
        yield "DVC remote", "none (docs/remotes.md)", ""
    pointers = [*root.glob("*.dvc"), *root.glob("data/*.dvc"), *root.glob("data/*/*.dvc")]
    away = [one.stem for one in pointers if one.is_file() and not one.with_suffix("").exists()]
    if away:
        yield "data", f"not pulled yet: {', '.join(sorted(away))}", "make data"


def store(root: Path) -> Iterator[Finding]:
    """Whether MLflow's store answers; what it misses of a run comes by `make sync`."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    try:
        if uri.startswith("http"):
            urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=3).close()
        elif uri.startswith("sqlite:///") and (root / uri[10:]).exists():
            with closing(sqlite3.connect(f"file:{root / uri[10:]}?mode=ro", uri=True)) as opened:
                opened.execute("select count(*) from runs")
        yield "MLflow store", _shown(uri), ""
    except (OSError, ValueError, sqlite3.Error) as error:
        yield "MLflow store", f"{_shown(uri)}: {error}", "start or mend it, then make sync"


def _shown(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)  # without a password


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _said(*command: str) -> str:
    """What a program prints; '' if it fails, or is not there."""
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
        return done.stdout.strip() if done.returncode == 0 else ""
    return ""


if __name__ == "__main__":
    main(sys.argv[1:])
