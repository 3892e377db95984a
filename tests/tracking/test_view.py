import base64
import json
import zlib

from reprise.tracking.view import results_view


def test_the_view_is_written_as_the_ui_reads_it():
    ((tag, text),) = results_view().items()
    assert tag == "mlflow.sharedViewState.results"
    assert len(text) < 5000  # what a tag can hold
    view = json.loads(text)
    assert set(view) == {"name", "createdAt", "updatedAt", "state"}
    kind, packed = view["state"].split(";")
    assert kind == "deflate"
    columns = json.loads(zlib.decompress(base64.b64decode(packed)))["selectedColumns"]
    assert columns[:2] == ["metrics.`test/accuracy`", "metrics.`best/valid/accuracy`"]
    assert {"params.`optimizer.learning_rate`", "tags.`reprise.run`"} <= set(columns)
