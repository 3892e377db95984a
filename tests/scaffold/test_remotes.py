"""Data that one adds and pushes are the same for another who clones and pulls."""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny import git, write_blobs

from reprise.tracking.journal import JOURNAL

ENGINE = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
KEYS = {"access_key_id": "testing-id", "secret_access_key": "testing-secret"}


def call(python: str, folder: Path, *words: str | Path) -> str:
    command = [python, "-m", *map(str, words)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def new_project(python: str, folder: Path) -> Path:
    folder.mkdir()
    git(folder, "init", "-q")
    call(python, folder, "dvc", "init", "-q")
    (folder / "conf").mkdir()
    return folder


def shared(python: str, root: Path, there: Path, credentials: dict[str, str]) -> str:
    """Add data, push, clone, pull and hash batches, as docs/remotes.md says; the config of DVC."""
    source = write_blobs(root.parent / "source")
    call(python, root, "reprise", "add-data", f"path={source}", "name=blobs")
    call(python, root, "dvc", "push", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "data")
    git(root.parent, "clone", "-q", root, there)
    for key, value in credentials.items():
        call(python, there, "dvc", "remote", "modify", "--local", "store", key, value)
    words = "reprise", "hash-batches", "experiment=blobs", "dataset.image_size=[32,32]"
    missing = subprocess.run([python, "-m", *words], cwd=there, capture_output=True, text=True)
    assert "dvc pull data/blobs.dvc" in missing.stderr
    call(python, there, "reprise", "data")
    expected, found = (call(python, folder, *words) for folder in (root, there))
    assert found == expected
    assert re.fullmatch(r"train \w{64} valid \w{64}\n", found)
    return (there / ".dvc/config").read_text()


@pytest.mark.slow
def test_by_a_folder(tmp_path):
    root = new_project(sys.executable, tmp_path / "project")
    call(sys.executable, root, "dvc", "remote", "add", "-d", "store", tmp_path / "store", "-q")
    shared(sys.executable, root, tmp_path / "clone", {})
    words = "experiment=blobs", "debug=smoke", "dataset.image_size=[32,32]"
    call(sys.executable, tmp_path / "clone", "reprise", "train", *words)
    (journal,) = (tmp_path / "clone/runs").rglob(JOURNAL)
    assert '"data.dvc": "verified"' in journal.read_text()


@pytest.fixture
def server(tmp_path) -> Iterator[tuple[str, int]]:
    """A Python with DVC's S3 packages, and the port of a server like S3, both for this test."""
    home = tmp_path / "venv"
    python = home / "bin/python"
    for words in (
        ["venv", "-q", "--python", sys.executable, home],
        ["pip", "install", "-q", "--python", python, "-c", ENGINE / "requirements-remotes.lock",
         "dvc-s3", "moto[server]"],
    ):  # fmt: skip
        subprocess.run([UV, *words], check=True)
    (site,) = home.glob("lib/python*/site-packages")
    others = [path for path in sys.path if path.endswith("site-packages")]
    (site / "engine.pth").write_text("\n".join([str(ENGINE / "src"), *others]))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [home / "bin/moto_server", "-p", str(port)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        make = (
            "import boto3, sys; boto3.client('s3', endpoint_url=sys.argv[1], "
            "region_name='us-east-1', "
            "aws_access_key_id='a', aws_secret_access_key='b').create_bucket(Bucket='bucket')"
        )
        url = f"http://127.0.0.1:{port}"
        while subprocess.run([python, "-c", make, url], capture_output=True).returncode:
            assert process.poll() is None
            time.sleep(0.5)
        yield str(python), port
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_by_s3_and_no_password_is_committed(server, tmp_path):
    python, port = server
    root = new_project(python, tmp_path / "project")
    call(python, root, "dvc", "remote", "add", "-q", "-d", "store", "s3://bucket/bees")
    modify = "dvc", "remote", "modify"
    call(python, root, *modify, "store", "endpointurl", f"http://127.0.0.1:{port}")
    for key, value in KEYS.items():
        call(python, root, *modify, "--local", "store", key, value)
    config = shared(python, root, tmp_path / "clone", KEYS)
    assert "s3://bucket/bees" in config
    committed = git(root, "grep", "-l", "-e", "bucket", "-e", "testing-", "HEAD").split()
    assert committed == ["HEAD:.dvc/config"]
    assert "testing" not in config
