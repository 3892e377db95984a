"""The settings of launching and searching."""

import joblib
import pytest

from reprise.sweeps.launcher import Local
from reprise.sweeps.settings import STORAGE, Search


def test_jobs_at_once_are_counted_as_joblib_does():
    assert Local().places() == 1
    assert Local(n_jobs=3).places() == 3
    assert Local(n_jobs=-1).places() == joblib.cpu_count()


@pytest.mark.parametrize(
    ("seen", "n_jobs", "gpus"),
    [
        ("0,1,2", 4, ["0", "1", "2", "0"]),
        ("5", 2, ["5", "5"]),
        ("", 2, ["", ""]),
        ("0,1", 1, ["0,1", "0,1"]),
    ],
)
def test_each_place_has_a_gpu(monkeypatch, seen, n_jobs, gpus):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", seen)
    launcher = Local(n_jobs=n_jobs)
    found = [launcher.environment(place)["CUDA_VISIBLE_DEVICES"] for place in range(len(gpus))]
    assert found == gpus


def test_the_database_is_in_the_sweeps_folder_unless_another_is_named(monkeypatch):
    monkeypatch.delenv(STORAGE, raising=False)
    assert Search().database() is None
    monkeypatch.setenv(STORAGE, "mysql://there/x")
    assert Search().database() == "mysql://there/x"
    assert Search(storage="sqlite:///y").database() == "sqlite:///y"
