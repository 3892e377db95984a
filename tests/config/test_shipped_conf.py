"""Every file of conf/ that comes with reprise composes, binds, and says what its target takes."""

import inspect
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import shipped
import yaml

from reprise.config.check import check
from reprise.config.files import CONF
from reprise.config.parameters import find_target, parameters_of
from reprise.config.sections import EVERY, LIVE, RESERVED, SETTINGS

EXPERIMENTS = shipped.CONF["experiment"]
FILES = [(group, name) for group, names in shipped.CONF.items() for name in names]
OPTIONS = [(group, name) for group, name in FILES if group != "experiment"]
HEAVY = ("tensorflow", "keras", "mlflow", "segmentation_models", "dvc")


def anything(path: Path) -> bool:
    return True


def nodes(node: Any, key: str) -> list[tuple[str, dict[str, Any]]]:
    """Every node with a target, with its dotted key."""
    if not isinstance(node, dict):
        return []
    own = [(key, node)] if "_target_" in node else []
    return own + [found for name, item in node.items() for found in nodes(item, f"{key}.{name}")]


def test_every_file_is_there():
    assert len(FILES) == 41
    assert all((CONF / group / f"{name}.yaml").exists() for group, name in FILES)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_passes(experiment):
    assert choices(experiment)["experiment"] == experiment
    assert set(choices(experiment)) >= {"dataset", "model", "objective", "optimizer", "loader"}


@pytest.mark.parametrize("debug", [name for group, name in OPTIONS if group == "debug"])
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_passes_when_it_is_shrunk(experiment, debug):
    values = check([f"experiment={experiment}", f"debug={debug}"], providable=anything).values
    assert "runs/debug" in values["tracking"]["uri"]  # never among the real runs


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_says_all_that_its_target_takes_and_nothing_else(group, option):
    values = yaml.safe_load((CONF / group / f"{option}.yaml").read_text())
    found = nodes(values, group)
    assert found or group in {"debug", "sweep"}
    for key, node in found:
        signature = parameters_of(find_target(node["_target_"]))
        live = LIVE.get(key, frozenset())
        assert live <= set(signature.annotations), f"{key}: what the program gives is not taken"
        takes = {*signature.annotations, *EVERY.get(key, ())}
        assert set(node) - RESERVED == takes - live, key
        unreadable = [n for n, a in signature.annotations.items() if a is Any and n not in live]
        assert unreadable == [], f"{key}: annotations that the check cannot read"


@pytest.mark.parametrize(
    ("group", "option"),
    [one for one in OPTIONS if one[0] in {"loader", "model", "objective", "optimizer"}],
)
def test_an_option_that_is_no_data_has_the_defaults_of_its_target(group, option):
    for key, node in nodes(yaml.safe_load((CONF / group / f"{option}.yaml").read_text()), group):
        parameters = inspect.signature(find_target(node["_target_"])).parameters
        for name in set(node) - RESERVED:
            default = parameters[name].default
            if default is not inspect.Parameter.empty:
                default = list(default) if isinstance(default, tuple) else default
                assert node[name] == default, f"{key}.{name}"


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_fits_some_experiment(group, option):
    experiment = next(name for name in EXPERIMENTS if uses(name, group, option))
    check([f"experiment={experiment}", f"{group}={option}"], providable=anything)


def uses(experiment: str, group: str, option: str) -> bool:
    """Whether this option can stand in this experiment, whose own keys are those of its data."""
    if group not in {"dataset", "objective"}:
        return True
    return choices(experiment)[group] == option


@cache
def choices(experiment: str) -> dict[str, str]:
    """Which file of each group an experiment takes."""
    return check([f"experiment={experiment}"], providable=anything).choices


def test_the_keys_of_config_yaml_are_the_settings():
    content = yaml.safe_load((CONF / "config.yaml").read_text())
    assert set(content) - {"defaults"} == set(SETTINGS)


def test_nothing_heavy_is_imported_by_the_check():
    jobs = [[f"experiment={name}"] for name in EXPERIMENTS]
    code = (
        "import sys; from reprise.config.check import check_each; "
        f"check_each({jobs}, providable=lambda path: True); "
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
