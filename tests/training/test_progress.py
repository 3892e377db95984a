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
