import hashlib
import sys

import pytest

from reprise.samples import iris as maker

SHA256 = "9cc1c345c71bcc9b486b74cbf6063fa66f4bb5e0f603a4b3c3471ec2e5e8e355"


def test_the_command_writes_the_same_bytes_everywhere(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["make_iris_data.py", "--out", str(tmp_path / "new")])
    maker.main()
    (file,) = (tmp_path / "new").iterdir()
    content = file.read_bytes()
    assert hashlib.sha256(content).hexdigest() == SHA256
    lines = content.decode().splitlines()
    assert len(lines) == 151
    assert lines[0] == "sepal_length,sepal_width,petal_length,petal_width,species"
    assert lines[1] == "5.1,3.5,1.4,0.2,setosa"
    assert sorted(line.split(",")[4] for line in lines[1:])[::50] == [
        "setosa", "versicolor", "virginica",
    ]  # fmt: skip


def test_a_folder_that_is_there_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["make_iris_data.py", "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match="2"):
        maker.main()
    assert "exists already: remove it" in capsys.readouterr().err
