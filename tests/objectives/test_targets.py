import subprocess
import sys

import pytest
from mlflow.utils.validation import _validate_metric_name
from tiny import ROOT

from reprise.errors import UserError
from reprise.objectives import classification, regression, segmentation
from reprise.objectives.targets import score_names
from reprise.spec import Spec

TARGETS = {
    "class": Spec((), "int32", ("a", "b")),
    "labels": Spec((2,), "uint8", ("a", "b")),
    "mask": Spec((4, 4, 1), "uint8", ("a", "b")),
    "values": Spec((2,), "float32"),
}
OBJECTIVES = {
    "classification": (classification, {"class", "labels"}),
    "segmentation": (segmentation, {"mask"}),
    "regression": (regression, {"values"}),
}


def test_every_kind_of_target_has_one_objective():
    assert {kind: spec.kind for kind, spec in TARGETS.items()} == {k: k for k in TARGETS}
    for kind, spec in TARGETS.items():
        fitting = []
        for name, (module, kinds) in OBJECTIVES.items():
            if kind in kinds:
                module.build(spec)
                fitting.append(name)
        assert len(fitting) == 1
        for name, (module, _) in OBJECTIVES.items():
            if name not in fitting:
                with pytest.raises(UserError, match=f"objective={name} does not fit") as error:
                    module.build(spec)
                assert f"set objective={fitting[0]}," in str(error.value)


@pytest.mark.parametrize("kind", ["class", "labels", "values"])
def test_a_value_to_ignore_is_refused_but_in_a_mask(kind):
    spec = TARGETS[kind]
    ignoring = Spec(spec.shape, spec.dtype, spec.classes, ignore=255)
    objective = regression if kind == "values" else classification
    with pytest.raises(UserError, match="leaves no sample out"):
        objective.build(ignoring)


def test_scores_of_classes_have_names_that_mlflow_takes_all_different():
    assert score_names("f1", ["cat", "Größe 3", "a/b", "c++", "c--"]) == [
        "f1_cat", "f1_Größe 3", "f1_a_b", "f1_c__", "f1_c--",
    ]  # fmt: skip
    alike = score_names("iou", ["c+", "c#", "c"])
    assert alike == ["iou_c__0", "iou_c__1", "iou_c"]
    for name in [*alike, *score_names("f1", ["ü", "100 %", "a:b", "x/../y", "日本"])]:
        _validate_metric_name(f"test/{name}")


def test_targets_of_models_and_objectives_are_imported_without_keras():
    """Settings are checked against their signatures, which must not take seconds."""
    files = [*(ROOT / "conf/model").glob("*.yaml"), *(ROOT / "conf/objective").glob("*.yaml")]
    names = [f"reprise.{file.parent.name}s.{file.stem}" for file in files]
    program = f"""
import importlib, sys
for name in {names}:
    importlib.import_module(name).build
print(sorted({{"keras", "tensorflow", "h5py"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert len(names) >= 11
    assert done.stdout == "[]\n", done.stderr
