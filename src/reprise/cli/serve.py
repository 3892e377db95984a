"""Serve a model: `reprise serve run=ID|model=NAME@alias [port=5001 host=127.0.0.1 max_mb=32]`.

MLflow's scoring server: POST to /invocations, GET /ping. Only this machine reaches it unless `host`
says otherwise; there is no password. `max_mb` is the largest request. docs/use_a_model.md has
requests in Python and curl. `runs=FOLDER`, `uri=ADDRESS` as for predict.
"""

import tempfile
from pathlib import Path

from reprise.cli.main import options
from reprise.errors import UserError
from reprise.project import ROOT
from reprise.runs.registered import find_asked, served_address
from reprise.runs.serve import serve, write_pyfunc


def main(argv: list[str]) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    own = {"run": "", "model": "", "uri": "", "runs": "runs"}
    asked = options(argv, **own, port="5001", host="127.0.0.1", max_mb="32")
    for key, most in (("port", 65535), ("max_mb", 1000)):
        if not asked[key].isdecimal() or int(asked[key]) > most:
            raise UserError(
                f"{key} is wrong", f"a whole number up to {most}", asked[key], f"correct {key}=…"
            )
    address = served_address(asked["model"], asked["uri"]) if asked["model"] else ""
    with tempfile.TemporaryDirectory() as folder:
        if not address:
            saved = find_asked(asked["run"], asked["model"], ROOT / asked["runs"], asked["uri"])
            address = str(write_pyfunc(saved, Path(folder, "model")))
        serve(address, asked["host"], int(asked["port"]), float(asked["max_mb"]), _say)


def _say(address: str) -> None:
    print(f"serving at {address}; Ctrl-C ends it", flush=True)
