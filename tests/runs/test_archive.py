"""An exported run is one file, from which another project has the run again, and nothing else."""

import gzip
import json
import shutil
import stat
from zipfile import ZipFile, ZipInfo

import pytest
from run_folders import write_run

from reprise.errors import UserError
from reprise.runs import archive
from reprise.runs.archive import MODEL, TOP, export, unpack
from reprise.runs.bring import ancestors, find_or_bring
from reprise.runs.folder import DATA, IDENTITY, held
from reprise.runs.load import find
from reprise.tracking.contents import LIST
from reprise.tracking.journal import entries

RUN = "20260102-000000-abcd"
PARENT = "20260101-000000-abcd"


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """An update of another run, with models and an input file."""
    monkeypatch.setattr(archive, "ROOT", tmp_path)
    for run in (PARENT, RUN):
        folder = write_run(tmp_path / "runs", run, experiment="team/digits", result={"test/iou": 1})
        for file in (MODEL, LIST, "checkpoints/best.keras"):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / MODEL).write_text(run)
        (folder / "checkpoints/best.keras").hardlink_to(folder / MODEL)
        (folder / "lock").touch()
        (folder / LIST).write_bytes(gzip.compress(b""))
    identity = json.loads((folder / IDENTITY).read_text())
    (folder / IDENTITY).write_text(json.dumps({**identity, "parent": PARENT}))
    promoted = folder / "serving/artifacts/run/checkpoints/best.keras"
    promoted.parent.mkdir(parents=True)
    promoted.hardlink_to(folder / MODEL)
    (promoted.parent.parent / "config.yaml").touch()
    return find(RUN, tmp_path / "runs")


@pytest.fixture
def packed(saved, tmp_path):
    file = tmp_path / "run.zip"
    export(saved, [*ancestors(saved, "")], file, data=False)
    return file


def test_a_run_and_what_it_started_from_are_the_same_elsewhere(saved, packed, tmp_path, capsys):
    runs = tmp_path / "else/runs"
    found = find_or_bring(str(packed), runs)
    assert found.folder == runs / "team/digits" / RUN
    assert capsys.readouterr().out.count("is unpacked") == 2
    (above,) = ancestors(found, "")
    with ZipFile(packed) as archive:
        kept = [name for name in archive.namelist() if name.endswith(".keras")]
    assert len(kept) == 2, "each run's model once"
    for there, here in ((found.folder, saved.folder), (above.folder, saved.folder.parent / PARENT)):
        assert (there / "checkpoints/best.keras").read_text() == here.name
        assert {*here.rglob("*")} - {here / p.relative_to(there) for p in there.rglob("*")} == {
            here / "lock", here / "state", *(here / "state").rglob("*")
        }  # fmt: skip
        assert [*entries(there, "metrics")] == [*entries(here, "metrics")]
    assert next(entries(found.folder, "start"))["uri"].endswith("mlflow.db")

    (found.folder / "mine.txt").touch()
    assert find_or_bring(str(packed), runs).folder == found.folder
    assert (found.folder / "mine.txt").exists()  # a run that is here stays as it is
    assert not capsys.readouterr().out
    (found.folder / IDENTITY).write_text('{"another": 1}')
    with pytest.raises(UserError, match=f"another run {RUN}"):
        unpack(packed, runs)


def test_data_are_packed_by_choice_where_they_are_what_they_were(saved, tmp_path, monkeypatch):
    name, file = "data/rows of ä.csv", tmp_path / "run.zip"
    file.touch()
    with pytest.raises(UserError, match="exists"):
        export(saved, [], file, data=True)
    file.unlink()
    monkeypatch.setattr(archive, "changed_inputs", lambda saved, most: changed)
    monkeypatch.setattr(archive, "read_list", lambda folder: ([], {name: "md5"}))
    (tmp_path / "data").mkdir()
    (tmp_path / name).write_text("1,2\n")
    changed = ["1 changed"]
    with pytest.raises(UserError, match="1 changed"):
        export(saved, [], file, data=True)
    changed = []
    with monkeypatch.context() as small:
        small.setattr(archive, "LARGEST_DATA", 3)
        with pytest.raises(UserError, match="too large"):
            export(saved, [], file, data=True)
    with held(saved.folder), pytest.raises(UserError, match="right now"):
        export(saved, [], file, data=True)
    assert not file.exists()
    export(saved, [], file, data=True)
    there = unpack(file, tmp_path / "else")
    assert (there / DATA / name).read_text() == "1,2\n"
    again = tmp_path / "again.zip"
    (tmp_path / name).unlink()
    export(find(RUN, tmp_path / "else"), [], again, data=True)  # what came with it goes on with it
    assert f"runs/team/digits/{RUN}/{DATA}/{name}" in ZipFile(again).namelist()


def write(file, members, folders=None, kind=stat.S_IFREG):
    """An archive that no export-run has written; of a run unless `folders` says otherwise."""
    folders = {RUN: "digits"} if folders is None else folders
    with ZipFile(file, "w") as made:
        made.writestr(TOP, json.dumps({"format": 1, "folders": folders}))
        for name in ("run.json", "config.yaml", "journal.jsonl"):
            made.writestr(f"runs/digits/{RUN}/{name}", "{}")
        for name in members:
            info = ZipInfo(name)
            info.external_attr = kind << 16
            made.writestr(info, "/etc/passwd")


@pytest.mark.parametrize(
    ("members", "of", "said"),
    [
        (["../evil"], {}, "written elsewhere"),
        (["/tmp/evil"], {}, "written elsewhere"),
        (["src/evil.py"], {}, "written elsewhere"),
        ([f"runs/digits/{RUN}/../../../evil"], {}, "written elsewhere"),
        ([f"runs/digits/{RUN}/a//b"], {}, "written elsewhere"),
        ([f"runs/digits/{RUN}/"], {}, "written elsewhere"),
        (["runs/digits/20250101-000000-abcd/run.json"], {}, "written elsewhere"),
        ([f"runs/digits/{RUN}/link"], {"kind": stat.S_IFLNK}, "no plain file"),
        ([f"runs/digits/{RUN}/pipe"], {"kind": stat.S_IFIFO}, "no plain file"),
        ([f"runs/digits/{RUN}/run.json"], {}, "twice"),
        ([], {"folders": {RUN: "../digits"}}, "no run can be in"),
        ([], {"folders": {RUN: "/digits"}}, "no run can be in"),
        ([], {"folders": {f"a/{RUN}": "digits"}}, "no id"),
        ([], {"folders": {"20250101-000000-abcd": "digits"}}, "cannot be unpacked"),
        ([], {"folders": {}}, "cannot be unpacked"),
        ([], {"folders": [1]}, "cannot be unpacked"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_would_be_written_elsewhere_is_refused_and_leaves_nothing(tmp_path, members, of, said):
    write(tmp_path / "run.zip", members, **of)
    with pytest.raises(UserError, match=said):
        unpack(tmp_path / "run.zip", tmp_path / "runs")
    assert [path.name for path in tmp_path.rglob("*")] == ["run.zip"]


def test_a_damaged_file_is_refused_or_what_it_holds_is_whole(packed, tmp_path):
    def content(runs):
        return {p.relative_to(runs): p.read_bytes() for p in runs.rglob("*") if p.is_file()}

    good, refused = packed.read_bytes(), 0
    unpack(packed, tmp_path / "whole")
    whole = content(tmp_path / "whole")
    places = range(0, len(good), 37)
    for at in places:
        packed.write_bytes(good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :])
        try:
            unpack(packed, tmp_path / "else")
        except UserError:
            refused += 1
            assert not content(tmp_path / "else")
        else:  # a byte that nothing reads, such as one of a time
            assert content(tmp_path / "else") == whole
            shutil.rmtree(tmp_path / "else")
    assert len(places) / 3 < refused < len(places)
    for cut in (0, 10, len(good) // 2, len(good) - 1):
        packed.write_bytes(good[:cut])
        with pytest.raises(UserError, match="cannot be unpacked"):
            unpack(packed, tmp_path / "else")
    assert not content(tmp_path / "else")
