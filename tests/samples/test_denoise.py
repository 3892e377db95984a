import hashlib
import sqlite3
import sys
from contextlib import closing

import numpy as np
import pytest

from reprise.samples import denoise as maker

# Of 60 ids of 8 by 8. Another digest on another machine would mean that DVC finds other data there.
DIGESTS = {
    "ids.txt": "cd0a6cb6d4176558a28e9b2569fab1563cebfdb4d3139dc84acaebc17f9ec7fa",
    "matrices.csv": "13f1f7de794cd0b85992e7e1885ee64e15109d2cf803ea9b06b2add5a7354c51",
    "matrices.db": "4b492c6b1194abb06a7c5958d4b4e698c692c9243cfe9a0395e829c2f3db7fd8",
}


def rows(folder):
    with closing(sqlite3.connect(folder / "matrices.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return connection.execute("SELECT * FROM matrices").fetchall()


def test_the_bytes_are_the_same_everywhere(tmp_path):
    maker.write_set(tmp_path / "new", count=60, size=8, seed=0)
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (tmp_path / "new").iterdir()
    }
    assert found == DIGESTS
    assert (tmp_path / "new/matrices.db").read_bytes()[92:100] == bytes(8)


def test_table_and_csv_have_the_same_rows(tmp_path):
    maker.write_set(tmp_path / "new", count=60, size=8, seed=0)
    found = rows(tmp_path / "new")
    lines = (tmp_path / "new/matrices.csv").read_text().splitlines()
    assert lines[0] == "user_id,x,y,value"
    assert [tuple(map(int, line.split(","))) for line in lines[1:]] == found == sorted(found)
    assert {row[0] for row in found} == set(range(60)) - {49}
    assert (tmp_path / "new/ids.txt").read_text().splitlines() == [str(one) for one in range(60)]
    assert {value for *_, value in found} == set(range(-7, 8)) - {0}


def test_a_matrix_depends_on_the_seed_and_its_number_alone(tmp_path):
    for name, settings in {"few": (5, 0), "more": (9, 0), "other": (5, 1)}.items():
        maker.write_set(tmp_path / name, count=settings[0], size=8, seed=settings[1])
    few, more, other = (rows(tmp_path / name) for name in ("few", "more", "other"))
    assert few == more[: len(few)]
    assert few != other


def test_neighbours_are_alike_so_that_noise_can_be_told():
    matrices = np.stack([maker.matrix(16, np.random.default_rng([0, at])) for at in range(200)])
    assert (matrices.min(), matrices.max()) == (-7, 7)
    assert np.abs(matrices).max(axis=(1, 2)).tolist() == [7] * 200
    steps = np.concatenate([np.diff(matrices, axis=axis).ravel() for axis in (1, 2)])
    assert steps.var() < 0.25 * matrices.var()
    assert abs(matrices.mean()) < 0.1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "there"], "there exists already: remove it"),
        (["--out", "new", "--size", "1"], "--size 2 to 240"),
        (["--out", "new", "--count", "0"], "--count must be 1 or more"),
    ],
)
def test_wrong_words_are_refused(tmp_path, monkeypatch, capsys, words, said):
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["make_denoise_data.py", *words])
    with pytest.raises(SystemExit, match="2"):
        maker.main()
    assert said in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_the_command_writes_what_it_is_asked_for(tmp_path, monkeypatch):
    words = ["--out", str(tmp_path / "new"), "--count", "2", "--size", "4"]
    monkeypatch.setattr(sys, "argv", ["make_denoise_data.py", *words])
    maker.main()
    assert {row[0] for row in rows(tmp_path / "new")} == {0, 1}
    assert list(tmp_path.iterdir()) == [tmp_path / "new"]
