"""Compare runs: a table of what differs between them, and their curves."""

import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml

from reprise.config.compose import Scalar, flatten
from reprise.errors import UserError
from reprise.files import replacing
from reprise.project import ROOT, relative
from reprise.runs.folder import CONFIG, IDENTITY, JOB, RESULT, UNREADABLE, epochs_done, state_of
from reprise.runs.load import find
from reprise.tracking.folders import LAST, all_runs, is_debug, name_in, run_folders
from reprise.tracking.journal import metric_history, of_all_classes, params_of, tags_of

# Keys that say where a run is recorded, repeat a choice, or change neither batches nor weights.
NO_SETTING = re.compile(r"tracking\.|\w+\._target_$|trainer\.(pictures_every|num_pictures)$")

History = Mapping[str, Mapping[int, float]]

LOWER_IS_BETTER = {"loss", "mae", "rmse"}
NEWEST = "newest"
NONE = "-"
WIDTH = 120  # characters of a line if there is no terminal
CELL_WIDTH = 28  # characters of a cell, at most
DIGEST = 7  # characters of a hash that are printed
NAMED = 5  # columns named in one note
WARNINGS = {
    "data": "the runs saw different data: their metrics do not compare",
    "code": "the runs were made by different code: a commit, + what was not committed",
}
# In the picture:
METRICS = 4  # axes at most
COLOURED = 10  # runs with a colour; the others are grey
LABEL_WIDTH = 52  # characters of a run's label for each of the axes


@dataclass(frozen=True)
class RunSummary:
    """A run as its folder describes it.

    Args:
        id: Its id.
        status: `finished`, `running 3/8` (epochs) and the like.
        choices: The experiment, and the option chosen for each group.
        params: Every setting by its dotted key, as text.
        metrics: `<split>/<metric>` of its best model; without a result, of the best epoch so far.
        history: `{metric: {epoch: value}}`.
        data: Hash of its data.
        code: Its commit, followed by `+` and a hash if there were uncommitted changes.
        monitor: The metric that decides which epoch is best, such as `valid/iou`.
        mode: Whether a larger or a smaller value of it is better: `max` or `min`.
    """

    id: str
    status: str
    choices: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    history: History
    data: str
    code: str
    monitor: str
    mode: str


def read_summary(folder: Path) -> RunSummary:
    """Read the folder of a run, which may be training meanwhile."""
    identity = json.loads((folder / IDENTITY).read_text())
    config = yaml.safe_load((folder / CONFIG).read_text())
    monitor, mode = config["trainer"]["monitor"], config["trainer"]["monitor_mode"]
    state = state_of(folder)
    choices = {**identity["choices"], "experiment": folder.parent.name}
    settings = {key: _as_typed(value) for key, value in flatten(config).items()}
    params = params_of(folder) | settings  # the file has what a resumed run has changed
    history = metric_history(folder)
    return RunSummary(
        id=folder.name,
        status=f"{state} {epochs_done(folder)}/{config['trainer']['epochs']}"
        if state in ("running", "failed", "stopped")
        else state,
        choices=choices,
        params={k: v for k, v in params.items() if k not in choices and not NO_SETTING.match(k)},
        metrics=_metrics(folder, history, monitor, mode),
        history=history,
        data=identity.get("data_digest") or "",
        code=_code(folder),
        monitor=monitor,
        mode=mode,
    )


def _metrics(folder: Path, history: History, monitor: str, mode: str) -> dict[str, float]:
    if (folder / RESULT).exists():
        return json.loads((folder / RESULT).read_text())
    monitored = history.get(monitor)
    if not monitored:
        return {}
    best = (min if mode == "min" else max)(monitored, key=lambda epoch: monitored[epoch])
    return {
        name: values[best]
        for name, values in history.items()
        if name.startswith("valid/") and best in values
    }


def _code(folder: Path) -> str:
    commit, patch = tags_of(folder).get("git.commit", ""), folder / "code/changes.patch"
    changed = "+" + hashlib.sha256(patch.read_bytes()).hexdigest() if patch.exists() else ""
    return commit.partition(":")[0] + changed


def _as_typed(value: Scalar) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def compare(asked: dict[str, str]) -> None:
    """Print the table; write it in full as CSV, and the picture, to `compare/` beside the runs.

    Args:
        asked: The options of the verb.
    """
    top, runs = _count(asked["top"]), ROOT / asked["folder"]
    title, folders = choose(asked, runs)
    read, unread = _summaries(folders)
    every = ranked(read, asked["sort"])
    shown = every[:top]
    table = table_of(shown)
    text, left_out = layout(rounded(table, shown), shutil.get_terminal_size((WIDTH, 24)).columns)
    notes = [warning for column, warning in WARNINGS.items() if column in table]
    notes += unread
    if left_out:
        more = f" and {len(left_out) - NAMED} more" if len(left_out) > NAMED else ""
        notes.append(f"no room for {', '.join(left_out[:NAMED])}{more}")
    if len(every) > len(shown):
        notes.append(f"the first {len(shown)} of {len(every)} runs; more with top=N")
    print("\n".join([f"{title}\n", text, "", *(f"note: {note}" for note in notes)]))
    out, name = runs / "compare", "_".join(re.sub("[,/]", " ", title).split())[:100]
    out.mkdir(parents=True, exist_ok=True)
    with replacing(out / f"{name}.csv") as partial:
        table.to_csv(partial, na_rep="nan")
    print(f"whole table  {relative(out / f'{name}.csv')}")
    if write_curves(out / f"{name}.png", shown):
        print(f"curves       {relative(out / f'{name}.png')}")


def _summaries(folders: list[Path]) -> tuple[list[RunSummary], list[str]]:
    """Read each run whose record can be read, and say of each other folder why it is left out."""
    read: dict[str, RunSummary] = {}
    unread = []
    for folder in folders:
        if folder.name in read:
            unread.append(f"{relative(folder)} is left out: the run stands there twice")
            continue
        try:
            read[folder.name] = read_summary(folder)
        except UNREADABLE as error:
            unread.append(f"{folder.name} cannot be read: {error!r}")
    if not read:
        raise UserError(
            "no record of these runs can be read",
            expected="run.json and config.yaml in each of their folders",
            received="\n".join(unread),
            remedy="copy their folders again",
        )
    return [*read.values()], unread


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise UserError("top is wrong", "a whole number >= 1", f"top={text}", "choose one: top=20")
    return int(text)


def choose(asked: dict[str, str], runs: Path) -> tuple[str, list[Path]]:
    """Find the runs that are asked for; by default those of the newest run's experiment.

    Returns:
        A title, and the folders of the runs.

    Raises:
        UserError: there are none, or it is not clear which.
    """
    given = [key for key in ("experiment", "sweep", "runs") if asked[key]]
    if len(given) > 1:
        raise UserError(
            "which runs?",
            expected="one of experiment=NAME, sweep=ID, runs=ID,ID",
            received=" ".join(f"{key}={asked[key]}" for key in given),
            remedy="keep one of them",
        )
    if asked["runs"]:
        found = {find(run, runs).folder: None for run in asked["runs"].split(",") if run}
        return f"runs {','.join(run.name.rpartition('-')[2] for run in found)}", [*found]
    if asked["sweep"]:
        return f"sweep {asked['sweep']}", _of_sweep(asked["sweep"], runs)
    folders = {folder: name_in(folder, runs) for folder in run_folders(runs, IDENTITY)}
    real = [folder for folder in folders if not is_debug(folder, runs)]
    newest = folders[max(real, key=lambda folder: folder.name)] if real else ""
    name = asked["experiment"] or newest
    chosen = [folder for folder, own in folders.items() if own == name]
    if not chosen:
        experiments = sorted({*folders.values()})
        raise UserError(
            f"no run of '{name}'" if name else "no run yet",
            expected=", ".join(experiments) or f"a run in {runs.name}/",
            received=f"experiment={name}" if name else "nothing",
            remedy="choose one of these" if experiments else "train one: make train exp=NAME",
        )
    return f"experiment {name}", chosen


def _of_sweep(sweep: str, runs: Path) -> list[Path]:
    jobs = run_folders(all_runs(runs), JOB)
    sweeps = {}
    for folder in jobs:
        with suppress(*UNREADABLE):  # a copy that is not whole
            sweeps[folder] = json.loads((folder / JOB).read_text())["sweep"]
    if sweep == LAST:
        own = [f for f in sweeps if f.is_relative_to(runs) and not is_debug(f, runs)]
        sweep = max((sweeps[folder] for folder in own), default=LAST)
    folders = [f for f, own in sweeps.items() if own == sweep and (f / IDENTITY).exists()]
    if not folders:
        newest = ", ".join(sorted({*sweeps.values()})[-5:]) or "none"
        raise UserError(
            f"no run of a sweep '{sweep}'",
            expected="the id of a sweep of which a job has begun, or 'last'",
            received=f"sweep={sweep}; the newest sweeps are: {newest}",
            remedy="give one of these ids",
        )
    return folders


def ranked(runs: Sequence[RunSummary], by: str) -> list[RunSummary]:
    """Sort runs, the best first and those without a value last; of equal runs, the newest first.

    Args:
        runs: In any order.
        by: A metric, `newest`, or empty for the metric that the newest run monitors.

    Raises:
        UserError: no run has this metric.
    """
    newest = sorted(runs, key=lambda run: run.id, reverse=True)
    if by == NEWEST:
        return newest
    metric = by or newest[0].monitor
    if by and not any(by in run.metrics for run in runs):
        raise UserError(
            f"no run has {by} to sort by",
            expected=", ".join([NEWEST, *of_all_classes(metric_names(runs))]),
            received=f"sort={by}",
            remedy="choose one of these",
        )
    sign = 1 if is_lower_better(metric, runs) else -1
    values = pd.Series([sign * run.metrics.get(metric, float("nan")) for run in newest])
    return [newest[at] for at in values.sort_values(kind="stable").index]


def is_lower_better(metric: str, runs: Sequence[RunSummary]) -> bool:
    """Whether a smaller value of `<split>/<metric>` is better.

    `trainer.monitor_mode` decides for the metric that runs monitor, else its name.
    """
    name = metric.rpartition("/")[2]
    modes = {run.mode for run in runs if run.monitor.rpartition("/")[2] == name}
    return modes == {"min"} if modes else name in LOWER_IS_BETTER


def metric_names(runs: Sequence[RunSummary]) -> list[str]:
    """Return the metrics of runs in the order of the table.

    The monitored metric of the first run is first, then the loss, the others by name, and the
    scores of single classes; of the same metric, `test/…` is before `valid/…`.
    """
    return _ordered({name for run in runs for name in run.metrics}, runs[0].monitor)


def _ordered(names: Iterable[str], monitor: str) -> list[str]:
    overall = of_all_classes([*names])

    def key(name: str) -> tuple[bool, bool, bool, bool, str, str]:
        split, _, base = name.partition("/")
        is_other = base != monitor.partition("/")[2]
        is_odd = split not in {"test", "valid"}
        return name not in overall, is_odd, is_other, base != "loss", base, split

    return sorted(names, key=key)


def table_of(runs: Sequence[RunSummary]) -> pd.DataFrame:
    """Return a table with a row for each run; what a run does not have is `-`.

    The columns are the status; data and code if they are not the same for all runs; the settings
    that differ, by dotted key; the metrics.
    """
    index = pd.Index([run.id for run in runs], name="run")
    heads = ["status", *WARNINGS]
    facts = pd.DataFrame([[getattr(run, head) for head in heads] for run in runs], index, heads)
    same = [head for head in WARNINGS if facts[head].nunique() == 1]
    settings = changed_settings(runs).fillna(NONE).replace("", NONE)
    metrics = {name: [run.metrics.get(name, NONE) for run in runs] for name in metric_names(runs)}
    scores = pd.DataFrame(metrics, index, dtype=object)
    return facts.drop(columns=same).join(settings).join(scores)


def changed_settings(runs: Sequence[RunSummary]) -> pd.DataFrame:
    """Return the choices and the settings that differ between runs, a row for each run.

    Where runs have chosen different options for a group, a setting of the group counts only if it
    differs between runs of the same option.
    """
    index = [run.id for run in runs]
    choices = _differing(pd.DataFrame([run.choices for run in runs], index, dtype=object))
    params = _differing(pd.DataFrame([run.params for run in runs], index, dtype=object))
    for key in list(params):
        group = key.partition(".")[0]
        if group in choices:
            by_option = params[key].groupby(choices[group], dropna=False)
            if by_option.nunique(dropna=False).max() == 1:
                params = params.drop(columns=key)
    return choices.join(params)


def _differing(table: pd.DataFrame) -> pd.DataFrame:
    return table[[key for key in table if table[key].nunique(dropna=False) > 1]]


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Return for each dotted key the fewest of its last words that distinguish it."""
    short: dict[str, str] = {}
    for key in keys:
        words = key.split(".")
        others = [f".{other}" for other in keys if other != key]
        endings = (".".join(words[-count:]) for count in range(1, len(words)))
        unique = (end for end in endings if not any(o.endswith(f".{end}") for o in others))
        short[key] = next(unique, key)
    return short


def rounded(table: pd.DataFrame, runs: Sequence[RunSummary]) -> pd.DataFrame:
    """Return a table as text for people.

    Keys and hashes are shortened and numbers rounded to 4 digits. If two runs or more have a
    metric, its best values are marked with `*`. Scores of single classes are left out.
    """
    short = short_names([head for head in table if "/" not in head])
    metrics = of_all_classes([head for head in table if "/" in head])
    text = {short[head]: table[head] for head in short}
    for head in WARNINGS:
        if head in table:
            text[head] = table[head].str.replace(rf"(\w{{{DIGEST}}})\w+", r"\1", regex=True)
    for head in metrics:
        values = pd.to_numeric(table[head], errors="coerce")
        best = values.min() if is_lower_better(head, runs) else values.max()
        is_marked = (values == best) & (values.count() > 1)
        numbers = table[head].map(lambda value: value if value == NONE else f"{value:.4g}")
        text[head] = numbers.where(~is_marked, numbers + "*")
    return pd.DataFrame(text)


def layout(table: pd.DataFrame, width: int) -> tuple[str, list[str]]:
    """Print a table to fit a terminal.

    It has a row for each run if that fits, else a column for each run, else a row for each run
    with as many columns as fit.

    Args:
        table: As `rounded` returns it.
        width: Characters of a line.

    Returns:
        The text, and the columns that are left out.
    """

    def printed(heads: list[str]) -> str:
        by_run = table[heads].rename_axis(index=None, columns="run")
        return by_run.to_string(max_colwidth=CELL_WIDTH)

    def fits(text: str) -> bool:
        return max(map(len, text.splitlines())) <= width

    by_run = printed(list(table))
    turned = table.T.rename_axis(index=None, columns="run").to_string(max_colwidth=CELL_WIDTH)
    for text in (by_run, turned):
        if fits(text):
            return text, []
    kept = ["status"]
    first = [head for head in table if "/" in head][:2]
    for head in [*first, *(head for head in table if head not in (*kept, *first))]:
        more = [known for known in table if known in (*kept, head)]
        if fits(printed(more)):
            kept = more
    return printed(kept), [head for head in table if head not in kept]


def write_curves(path: Path, runs: Sequence[RunSummary]) -> bool:
    """Draw the metrics of validation by epoch, a line for each run, as a PNG file.

    The first runs have a colour each and a label, the others are grey.

    Returns:
        Whether there was anything to draw.
    """
    from matplotlib.figure import Figure

    found = {n for run in runs for n, values in run.history.items() if values}
    names = [name for name in found if name.startswith("valid/")]
    metrics = of_all_classes(_ordered(names, runs[0].monitor))[:METRICS]
    if not metrics:
        return False
    colours = [f"C{at}" if at < COLOURED else "lightgrey" for at in range(len(runs))]
    size = 5 * len(metrics), 4.2 + 0.22 * min(len(runs), COLOURED)
    figure = Figure(figsize=size, layout="constrained")
    cells = figure.subplots(1, len(metrics), squeeze=False)[0]
    for axes, metric in zip(cells, metrics, strict=True):
        curves = pd.DataFrame({run.id: pd.Series(run.history.get(metric, {})) for run in runs})
        marker = "." if len(curves) < 3 else None  # a line of one point cannot be seen
        curves = curves.sort_index().astype(float).iloc[:, ::-1]  # the best is on top
        curves.plot(ax=axes, color=colours[::-1], marker=marker, title=metric, legend=False)
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    lines = cells[0].get_lines()[::-1][:COLOURED]
    texts = labels(runs, LABEL_WIDTH * len(metrics))
    figure.legend(lines, texts[:COLOURED], loc="outside lower left", frameon=False)
    with replacing(path) as partial:
        figure.savefig(partial, dpi=100)
    return True


def labels(runs: Sequence[RunSummary], width: int) -> list[str]:
    """Return for each run the end of its id and what differs, `c200  learning_rate=0.01`, cut."""
    settings = changed_settings(runs)
    settings = settings.rename(columns=short_names(list(settings)))
    texts = []
    for run, own in settings.iterrows():
        changes = " ".join(f"{key}={value}" for key, value in own.dropna().items())
        text = f"{str(run).rpartition('-')[2]}  {changes}".strip()
        texts.append(text if len(text) <= width else text[: width - 1] + "…")
    return texts
