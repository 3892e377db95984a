"""A served model answers files over HTTP by name, refuses what is wrong, and outlives all of it."""

import base64
import io
import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
from made_runs import fully_convolutional, made_run
from PIL import Image
from tiny import ROOT, array_words, overrides, reprise, write_arrays, write_blobs

from reprise.errors import UserError
from reprise.runs.answer import Answers
from reprise.runs.load import find


@contextmanager
def served(*words):
    command = [sys.executable, "-m", "reprise", "serve", "port=0", *words]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield re.search(r"http://\S+/invocations", server.stdout.readline())[0]
            assert server.poll() is None, "it is still there"
        finally:
            server.send_signal(signal.SIGINT)


def ask(address, body, kind="application/json"):
    """Status and answer to a body, or to the rows of a table with one column."""
    if isinstance(body, dict):
        ((column, cells),) = body.items()
        table = {"columns": [column], "data": [[cell] for cell in cells]}
        body = json.dumps({"dataframe_split": table}).encode()
    request = urllib.request.Request(address, body, {"Content-Type": kind})
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, json.load(answer)["predictions"]
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.slow
def test_pictures_come_back_as_masks_of_their_own_size(tmp_path):
    images = write_blobs(tmp_path / "data", count=20, size=64) / "images"
    done = reprise("train", *overrides(tmp_path / "data", tmp_path))
    assert done.returncode == 0, done.stderr[-2000:]
    where = (f"runs={tmp_path}/runs", "run=last")
    picture = tmp_path / "picture.png"
    pixels = np.asarray(Image.open(images / "000.png").resize((150, 90)))
    Image.fromarray(pixels).save(picture)
    wanted = reprise("predict", *where, f"input={picture}", f"output={tmp_path}/predicted")
    assert wanted.returncode == 0, wanted.stderr[-2000:]
    expected = np.asarray(Image.open(tmp_path / "predicted/masks/picture.png"))
    text = base64.b64encode(picture.read_bytes()).decode()

    with served(*where, "max_mb=1") as address:
        status, (first, second) = ask(address, {"image": [text, pixels.tolist()]})
        assert status == 200
        assert (first["height"], first["width"]) == (90, 150)
        mask = Image.open(io.BytesIO(base64.b64decode(first["mask"])))
        assert np.array_equal(np.asarray(mask), expected)
        assert second == first, "pixels in lists"

        page = (ROOT / "docs/use_a_model.md").read_text().partition("## Over HTTP")[2]
        for language, command in (("python", [sys.executable]), ("sh", ["bash"])):
            code = re.search(rf"```{language}\n(.*?)```", page, re.DOTALL)[1]
            code = code.replace("http://127.0.0.1:5001/invocations", address)
            ran = subprocess.run(command, input=code, cwd=tmp_path, capture_output=True, text=True)
            assert ran.returncode == 0, ran.stderr
        assert np.array_equal(np.asarray(Image.open(tmp_path / "mask.png")), expected)
        assert json.loads(ran.stdout)["predictions"] == [first]

        cut = base64.b64encode(picture.read_bytes()[:-200]).decode()
        wrong = {
            "image_1 cannot be read": {"image": [text, cut]},
            "image_0 cannot be read": {"image": ["no picture"]},
            "the request cannot be answered": {"picture": [text]},
        }
        for message, body in wrong.items():
            status, answer = ask(address, body)
            assert (status, answer["message"]) == (400, message)
            assert {"expected", "received", "to_do"} <= answer.keys()
            assert str(tmp_path) not in str(answer)
        assert ask(address, b"no JSON")[0] == 400
        status, answer = ask(address, b"?", "text/plain")
        assert (status, "IMPORTANT" in str(answer)) == (415, False)
        assert ask(address, b" " * 1_100_000)[0] == 413

        with ThreadPoolExecutor(200) as pool:
            answers = pool.map(lambda _: ask(address, {"image": [text]})[0], range(200))
        assert Counter(answers) == {200: 200}


@pytest.mark.slow
def test_what_promote_registers_is_served(tmp_path):
    words = array_words(write_arrays(tmp_path / "digits.npz"), tmp_path)
    assert reprise("train", *words).returncode == 0
    done = reprise("promote", "run=last", f"runs={tmp_path}/runs", "name=digits")
    assert done.returncode == 0, done.stderr[-2000:]
    where = ("model=digits@champion", f"uri=sqlite:///{tmp_path}/mlflow.db")
    (folder,) = (tmp_path / "runs/digits").iterdir()
    folder.rename(tmp_path / "elsewhere")  # MLflow has all that it takes
    with served(*where, f"runs={tmp_path}/none") as address:
        status, (first,) = ask(address, {"array": [np.zeros((16, 16), int).tolist()]})
        assert status == 200
        assert list(first["probabilities"]) == ["0", "1", "2"]
        assert first["class"] == max(first["probabilities"], key=first["probabilities"].get)
        assert ask(address, {"array": [[1, 2, 3]]})[0] == 400


@pytest.mark.slow
def test_base64_comes_as_other_programs_write_it(tmp_path):
    data = write_blobs(tmp_path)
    words = [f"dataset.images={data}/images", f"dataset.masks={data}/masks"]
    words += ["experiment=segmentation", "dataset.image_size=[64,64]"]
    folder = made_run(tmp_path / "runs", *words, model=fully_convolutional)
    file = (data / "images/000.png").read_bytes()
    text = base64.b64encode(file).decode()
    lines = base64.encodebytes(file).decode()
    cells = [text, lines, f"data:image/png;base64,{text}", np.array(text), np.array([text])]
    found = Answers(find(str(folder), tmp_path / "runs"))(pd.DataFrame({"image": cells}))
    assert len(found) == 5
    assert all(one == found[0] for one in found)


def test_a_refusal_has_the_parts_of_a_mistake():
    from reprise.runs.pyfunc import Refused

    refused = Refused(UserError("a", "b", "c", "d"))
    refused.message = "what MLflow puts before it"
    assert json.loads(refused.serialize_as_json())["to_do"] == "d"
    assert refused.get_http_status_code() == 400
