import types

import pytest

from reprise.training.progress import Progress


def test_a_line_per_epoch_without_the_per_class_scores(capsys):
    waits = iter([1.0, 3.5])
    progress = Progress(2, lambda: next(waits), "val_iou")
    progress.set_params({"epochs": 7})
    progress.on_epoch_begin(2)
    many = {f"iou_class_{i}": 0.1 for i in range(20)}
    logs = {"loss": 0.5, "iou": 0.25, **many}
    progress.on_epoch_end(2, logs | {f"val_{k}": v for k, v in logs.items()})
    line = capsys.readouterr().out
    assert "epoch 3/7" in line
    assert "train loss 0.5000 iou 0.2500" in line
    assert "valid loss 0.5000 iou 0.2500" in line
    assert "2.5 s of them for data" in line
    assert "iou_class_9" not in line


@pytest.mark.parametrize(
    ("epochs", "stopped", "told"),
    [(2, False, True), (3, False, False), (3, True, True)],
    ids=["last epoch", "to be gone on with", "stopped early"],
)
def test_the_last_word_says_what_held_training_up(epochs, stopped, told, capsys, monkeypatch):
    """Two epochs of 10 s, with 4 s and 1 s of waiting; a resumed run's fit may end in its midst."""
    clock = iter([0.0, 10.0, 10.0, 20.0])
    monkeypatch.setattr("reprise.training.progress.time.monotonic", lambda: next(clock))
    waits = iter([0.0, 4.0, 4.0, 5.0])
    progress = Progress(2, lambda: next(waits), "val_iou")
    progress.set_model(types.SimpleNamespace(stop_training=stopped))
    progress.set_params({"epochs": epochs})
    for epoch in range(2):
        progress.on_epoch_begin(epoch)
        progress.on_epoch_end(epoch, {"loss": 0.5})
    progress.on_train_end()
    out = capsys.readouterr().out
    assert out.count("10 s, ") == 2
    assert ("data-bound: 25% of the time" in out) == told
    assert "compute-bound" not in out
