"""Predict on inputs without labels: `reprise predict run=ID|last input=PATH [output=PATH …]`.

`model=NAME@alias` in place of `run` is a model of MLflow's registry, which `uri=ADDRESS` can name.
`input` names files, a folder, a pattern or a table, several with commas between them; or a split of
the run's own data: `input=test`. docs/use_a_model.md has all words. Exit code 0: every input was
answered; 1: some could not be read, and are listed beside the answers.
"""

import sys
from dataclasses import fields

from reprise.cli.main import options
from reprise.project import ROOT, relative
from reprise.runs.predict import Options, given_inputs, predict, read_options
from reprise.runs.registered import find_asked


def main(argv: list[str]) -> None:
    """Write the answers, and print where they are."""
    own = dict.fromkeys((field.name for field in fields(Options)), "")
    asked = options(argv, run="", model="", uri="", input=None, output="", runs="runs", **own)
    words = {name: asked[name] for name in own if asked[name]}
    wish = read_options(
        {name: None if text in ("none", "null") else text for name, text in words.items()}
    )
    runs, given = ROOT / asked["runs"], given_inputs(asked["input"])
    saved = find_asked(asked["run"], asked["model"], runs, asked["uri"])
    done = predict(saved, given, asked["output"], wish)
    answered = done.count - len(done.problems)
    print(f"{answered} of {done.count} {done.unit}: {relative(done.table)}")
    if done.unreadable:
        print(f"{len(done.problems)} could not be answered: {relative(done.unreadable)}")
        sys.exit(1)
