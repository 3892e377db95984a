#!/usr/bin/env bash
# Run tests with the newest TensorFlow, Keras and MLflow, whatever pyproject.toml and the lock allow.
# Words are pytest's; without any, a few files that go all the way through each of the three.
# The environment is made anew in build/newest; .venv is as it was. PYTHON chooses the interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."

uv=.venv/bin/uv
place=build/newest
[[ -x $uv ]] || { echo "newest: make setup first"; exit 2; }
rm -rf "$place"
"$uv" venv --quiet --python "${PYTHON:-.venv/bin/python}" "$place"
.venv/bin/python - > "$place/wanted.txt" << 'END'
import re
import tomllib

project = tomllib.load(open("pyproject.toml", "rb"))["project"]
wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
for one in wanted:  # tf-keras is of TensorFlow's own version
    print(re.sub(r"^(tensorflow|keras|tf-keras|mlflow)>=.*", r"\1", one))
END
"$uv" pip install --quiet --upgrade --python "$place/bin/python" -r "$place/wanted.txt"
"$uv" pip install --quiet --python "$place/bin/python" --no-deps -e .
"$uv" pip list --python "$place/bin/python" 2> /dev/null | grep -E '^(tensorflow|keras|mlflow) '
(($#)) || set -- tests/training/test_fit.py tests/models tests/objectives tests/tracking/test_run.py
exec "$place/bin/python" -m pytest -n auto --dist loadfile "$@"
