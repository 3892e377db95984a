from mlflow import MlflowClient

from reprise.runs.score import description
from reprise.tracking.run import open_run

RESULT = {"valid/f1": 0.5, "valid/f1_cat": 0.25, "test/f1": 0.75, "test/f1_cat": 1.0}


def test_the_description_has_the_result_and_pictures_that_the_ui_finds(tmp_path):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with open_run(tmp_path / "runs/e/20261121-1", "e", "n", uri=uri, redact=str) as run:
        run.tags({"mlflow.note.content": description(RESULT, ["pictures/curves.png"])})
    client = MlflowClient(uri)
    (found,) = client.search_runs([client.get_experiment_by_name("e").experiment_id])
    assert found.data.tags["mlflow.note.content"].splitlines() == [
        "| best model     |    valid |     test |",
        "|----------------|---------:|---------:|",
        "| f1             |   0.5000 |   0.7500 |",
        "",
        "![pictures/curves.png](get-artifact?path=pictures/curves.png"
        f"&run_uuid={found.info.run_id})",
    ]
