"""What the machine does while a run trains, by the names of MLflow's own tab for it."""

import sys
import time
from types import SimpleNamespace

from tiny import new_store

from reprise.tracking import system
from reprise.tracking.journal import entries, metric_history
from reprise.tracking.run import open_run
from reprise.tracking.system import system_metrics


def test_looks_are_recorded_and_are_no_history(tmp_path):
    folder = tmp_path / "runs/digits/20261128-000000-aaaa"
    uri = new_store(tmp_path)
    with open_run(folder, "digits", "a", uri=uri, redact=str) as run:
        with system_metrics(run, None):
            pass
        assert not list(entries(folder, "metrics"))
        with system_metrics(run, 0.02):
            while not list(entries(folder, "metrics")):
                time.sleep(0.01)
        assert not run.history
    first = next(entries(folder, "metrics"))
    assert first["step"] >= 0
    percentages = [value for name, value in first["values"].items() if "percentage" in name]
    assert len(percentages) >= 3
    assert all(0 <= value <= 100 for value in percentages)
    assert all(name.startswith("system/") for name in first["values"])
    assert not metric_history(folder)
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    (stored,) = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    assert "system/cpu_utilization_percentage" in stored.data.metrics


def test_a_gpu_is_looked_at_where_there_is_one(monkeypatch):
    nvidia = SimpleNamespace(
        NVMLError=RuntimeError,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 1,
        nvmlDeviceGetHandleByIndex=lambda at: at,
        nvmlDeviceGetMemoryInfo=lambda gpu: SimpleNamespace(used=2e9, total=8e9),
        nvmlDeviceGetUtilizationRates=lambda gpu: SimpleNamespace(gpu=40),
        nvmlDeviceGetPowerUsage=lambda gpu: 70_000,
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvidia)
    found = system._of_gpus(system._gpus())
    assert found["gpu_0_memory_usage_percentage"] == 25
    assert found["gpu_0_utilization_percentage"] == 40
    assert found["gpu_0_power_usage_watts"] == 70
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert system._gpus() == []
