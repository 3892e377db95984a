"""Sections of a configuration: which keys each of them accepts, and the mistakes in it."""

import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Interval

from reprise.config.compose import Layers, Origins
from reprise.config.files import Conf
from reprise.config.mistakes import Mistake, listing, nearest_key, nearest_name, shown, suggest
from reprise.config.overrides import Setting
from reprise.config.parameters import (
    NoSuchTarget,
    PathContext,
    Refusal,
    checkable,
    choices_in,
    describe,
    find_target,
    is_own,
    parameters_of,
    refusals,
)
from reprise.config.rules import contradictions
from reprise.datasets.tracked import NotPulled, require_pulled

# Keys of config.yaml itself. Weights, batch order and random transforms follow from the seed.
SETTINGS = {"seed": Annotated[int, Interval(ge=0, lt=2**32)]}
# Modules of Python itself that make values; what others name, such as os.system, acts.
PLAIN_MODULES = {"collections", "datetime", "decimal", "fractions", "pathlib", "zoneinfo"}
RESERVED = frozenset({"_target_", "_partial_", "_convert_", "_recursive_", "_args_"})
# Arguments that the program itself passes when it builds a group's target.
LIVE: dict[str, frozenset[str]] = {
    "loader": frozenset({"dataset", "indices", "split", "seed"}),
    "model": frozenset({"input_spec", "target_spec"}),
    "objective": frozenset({"target_spec"}),
    "optimizer": frozenset({"total_steps"}),
}
# Further keys of a group, whatever its target.
EVERY: dict[str, dict[str, Any]] = {
    "dataset": {
        "exclude": checkable(Annotated[str, "file"] | None),
        "max_excluded": Annotated[float, Interval(ge=0, le=1)],
    }
}
# Values that the program reads of what a group's target makes.
READ = {
    "trainer": frozenset({"epochs", "monitor"}),
    "tracking": frozenset({"uri", "runs"}),
    "sweep": frozenset({"search"}),
    "launcher": frozenset({"n_jobs"}),
}


@dataclass(frozen=True)
class Section:
    """A node of the configuration whose keys are checked.

    Args:
        key: Dotted key; '' for the whole configuration.
        node: Keys and values.
        title: What accepts the keys, for messages.
        takes: Accepted names with their types.
        required: Names that have no default.
        live: Names of arguments that only the program passes.
        is_open: Whether other names are accepted, too.
        error: Why the `_target_` cannot be found.
        unfit: Why it cannot be what it stands for: what is expected, and what is wrong.
    """

    key: str
    node: dict[str, Any]
    title: str
    takes: dict[str, Any]
    required: frozenset[str] = frozenset()
    live: frozenset[str] = frozenset()
    is_open: bool = False
    error: NoSuchTarget | None = None
    unfit: tuple[str, str] | None = None

    def dotted(self, name: str) -> str:
        """Return the dotted key of a name in this section."""
        return f"{self.key}.{name}" if self.key else name


def sections(
    value: Any, own: Collection[str], key: str = "", *, in_target: bool = False
) -> Iterator[Section]:
    """Iterate over the sections of a configuration, from the outside in.

    A node inside an argument of a target is a section only if it has a `_target_` itself; otherwise
    it is data.

    Args:
        value: Plain values.
        own: Dotted keys that nodes without a `_target_` accept.
        key: Dotted key of the values.
        in_target: Whether they are inside an argument of a target.
    """
    prefix = f"{key}." if key else ""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from sections(item, own, f"{prefix}{index}", in_target=True)
    if not isinstance(value, dict):
        return
    if "_target_" in value:
        in_target = True
        yield _of_target(value, key)
    elif not in_target:
        inside = (other.removeprefix(prefix) for other in own if other.startswith(prefix))
        names = sorted({other.partition(".")[0] for other in inside})
        takes = {name: SETTINGS.get(f"{prefix}{name}", Any) for name in names}
        title, required = f"'{key}'" if key else "conf/config.yaml", () if key else SETTINGS
        yield Section(key, value, title, takes, frozenset(required))
    for name, item in value.items():
        yield from sections(item, own, f"{prefix}{name}", in_target=in_target)


def _of_target(node: dict[str, Any], key: str) -> Section:
    """Return the section of a target, which is open to all keys if it must not be imported yet."""
    target = node["_target_"]
    unfit = _unfit(target, key)
    if unfit is None and is_own(target):
        return target_section(node, key, LIVE.get(key, frozenset()), EVERY.get(key))
    return Section(key, node, str(target), {}, is_open=True, unfit=unfit)


def _unfit(target: Any, key: str) -> tuple[str, str] | None:
    """Return what a target has to be, and why this one is not, judged by its name alone."""
    role = "callback" if key.startswith("trainer.callbacks.") else key.rpartition(".")[2]
    path = "the full path of a function or class, package.module.name"
    if not isinstance(target, str) or not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)+", target):
        return path, "no dotted path of a function or class"
    module = target.partition(".")[0]
    if module in sys.stdlib_module_names - PLAIN_MODULES:
        return path, f"of Python itself, and no {role}"
    return None


def target_section(
    node: dict[str, Any], key: str, live: frozenset[str], extra: Mapping[str, Any] | None = None
) -> Section:
    """Import a node's target and return what it accepts.

    Args:
        node: Keys and values.
        key: Dotted key of the node.
        live: Names of arguments that only the program passes.
        extra: Further names that are accepted, with their types.
    """
    title = str(node["_target_"])
    try:
        parameters = parameters_of(find_target(title))
    except NoSuchTarget as error:
        return Section(key, node, title, {}, is_open=True, error=error)
    takes = {**(extra or {}), **parameters.annotations}
    takes = {name: kind for name, kind in takes.items() if name not in live}
    is_partial = bool({"_partial_", "_args_"} & set(node))
    required = frozenset() if is_partial else parameters.required - live
    needed = (live | READ.get(key, frozenset())) if is_own(title) else frozenset()
    lacking = sorted(needed - {*parameters.annotations})
    unfit = (f"one that takes {', '.join(lacking)}", f"no {key}") if lacking else None
    return Section(key, node, title, takes, required, live, parameters.is_open, unfit=unfit)


def find_mistakes(
    layers: Layers, settings: list[Setting], conf: Conf, providable: Callable[[Path], bool]
) -> list[Mistake]:
    """Compare a composition with what the code accepts, and its settings with each other.

    Args:
        layers: Composition.
        settings: Overrides it was composed with.
        conf: Folders of configuration files.
        providable: Tells whether the program can make a path that is missing.
    """
    groups = list(conf.groups)
    origins = Origins(layers.files, settings, conf)
    without_choice = {*groups} - {*layers.choices}
    inspected = [
        section
        for section in sections(layers.values, {*SETTINGS, *groups, *origins.own})
        if section.key.partition(".")[0] not in without_choice
    ]
    known = [
        one.dotted(name)
        for one in inspected
        for name in (one.node if one.is_open and not one.takes else one.takes)
    ]
    inspection = Inspection(
        PathContext(conf.root, providable),
        known,
        origins.place,
        origins.setting,
        layers.unset,
        groups,
    )
    found: dict[str, Mistake] = {}
    for section in inspected:
        if not any(f"{section.key}.".startswith(f"{key}.") for key in found):
            found.update(inspection.of_section(section))
    is_debug = "debug" in layers.choices
    experiment = layers.choices.get("experiment", layers.choices.get("dataset", ""))
    clashes = contradictions(
        layers.values, set(found), origins.place, is_debug=is_debug, experiment=experiment
    )
    return [*found.values(), *clashes]


@dataclass(frozen=True)
class Inspection:
    """Compares the keys and values of sections with what they accept.

    Args:
        context: What decides whether a path exists.
        known: Dotted keys that exist.
        place: Returns where a key was written.
        setting: Returns the override of a key, if there is one.
        unset: As `Layers.unset`.
        groups: Groups of config.yaml.
    """

    context: PathContext
    known: Sequence[str]
    place: Callable[[str], str]
    setting: Callable[[str], Setting | None] = lambda key: None
    unset: Mapping[str, str] = field(default_factory=dict)
    groups: Collection[str] = ()

    def _mistake(
        self, key: str, wrong: str, expected: str, received: str, remedy: str, at: str = ""
    ) -> tuple[str, Mistake]:
        """Return a key and its mistake; `at` is the key whose place is named, if another one."""
        place = self.place(at or key)
        return key, Mistake(f"{key}: {wrong}", place, expected, received, remedy)

    def of_section(self, section: Section) -> Iterator[tuple[str, Mistake]]:
        """Find the mistakes in one section, each with its dotted key."""
        target = section.dotted("_target_")
        if section.unfit:
            expected, wrong = section.unfit
            remedy = suggest(_dotted_form(section.title), "name another target")
            wrong = f"{section.title} is {wrong}"
            yield self._mistake(target, wrong, expected, shown(section.node["_target_"]), remedy)
            return
        if section.error:
            likely = nearest_name(section.title, section.error.names)
            remedy = suggest(likely, "look for a misspelt part")
            path = "the full path of a function or class of an installed package"
            expected = f"one of: {listing(section.error.names)}" if section.error.names else path
            wrong = f"there is no {section.title}"
            yield self._mistake(target, wrong, expected, section.title, remedy)
            return
        for name, value in section.node.items():
            if not (name in RESERVED and "_target_" in section.node):
                yield from self._of_key(section, str(name), value)
        for name in sorted(section.required - set(section.node)):
            key = section.dotted(name)
            expected = f"{describe(section.takes[name])}; {section.title} has no default for it"
            yield self._mistake(key, "is not set", expected, "nothing", _set(key), at=target)

    def _of_key(self, section: Section, name: str, value: Any) -> Iterator[tuple[str, Mistake]]:
        key = section.dotted(name)
        unset = {
            one: reason for one, reason in self.unset.items() if f"{one}.".startswith(f"{key}.")
        }
        if name in section.live:
            wrong = "the program gives this one itself"
            remedy = suggest(name if name in self.known else None, "leave it out")
            yield self._mistake(key, wrong, "no value here", shown(value), remedy)
        elif name not in section.takes and not section.is_open:
            yield self._unknown(section, name, value)
        elif _has_target(value):
            return  # a section of its own, or several of them
        elif unset:
            expected = "a value, or a reference to a key that has one"
            for one, reason in unset.items():
                yield self._mistake(one, "has no value", expected, reason, _set(one))
        elif section.key == "" and name in self.groups:
            if not isinstance(value, dict):
                remedy = "write its keys below it, indented"
                yield self._wrong(key, value, "the keys of a group", remedy)
        elif name in section.takes:
            yield from self._of_value(key, value, section.takes[name])

    def _unknown(self, section: Section, name: str, value: Any) -> tuple[str, Mistake]:
        key = section.dotted(name)
        setting = self.setting(key)
        typed, received = key, shown(value)
        if setting and setting.key.startswith(key):  # the override may go on below the unknown key
            typed, received = setting.key, setting.form.partition("=")[2]
        remedy = suggest(nearest_key(typed, [*self.known, *self.groups]), "leave it out")
        if "." in name:
            remedy = "a file has no dotted keys: write each step on a line of its own, indented"
        expected = f"a key of {section.title}: {listing(section.takes)}"
        return key, self._mistake(typed, "no such key", expected, received, remedy, at=key)[1]

    def _of_value(self, key: str, value: Any, annotation: Any) -> Iterator[tuple[str, Mistake]]:
        for refusal in refusals(value, annotation, self.context):
            if refusal.path is not None:
                dotted = ".".join([key, *refusal.within])
                yield self._no_path(dotted, refusal, describe(annotation))
                continue
            likely = nearest_name(str(value), choices_in(annotation))
            remedy = suggest(likely, _rewritten(key, value, describe(annotation)))
            yield self._wrong(key, value, describe(annotation), remedy)
            return
        if isinstance(value, str):
            yield from self._of_text(key, value, describe(annotation))

    def _of_text(self, key: str, value: str, expected: str) -> Iterator[tuple[str, Mistake]]:
        """Find a null, a home folder or a variable that is written as a text."""
        if value.lower() in {"none", "nil", "~"} and expected.endswith("null"):
            yield self._wrong(key, value, expected, f"write null: {key}=null")
        elif re.match(r"~[\w.-]*/|\$\{?[A-Za-z_]+\}?/|%\w+%[\\/]|[A-Za-z]:\\", value):
            remedy = "write the path out with /, or as ${oc.env:HOME}/…"
            yield self._wrong(key, value, "a path that needs no shell to read it", remedy)

    def _wrong(self, key: str, value: Any, expected: str, remedy: str) -> tuple[str, Mistake]:
        return self._mistake(key, f"cannot be {shown(value)}", expected, shown(value), remedy)

    def _no_path(self, key: str, refusal: Refusal, expected: str) -> tuple[str, Mistake]:
        given, root = Path(str(refusal.path)), self.context.root
        path = root / given
        try:
            require_pulled(given)
        except NotPulled as error:
            return self._mistake(key, *error.args)
        received = "something else of that name" if path.exists() else "nothing of that name"
        if not given.is_absolute():
            received += f" (it starts from {root})"
        remedy = f"give the path of a {refusal.kind} that exists"
        if not path.exists() and path.parent.is_dir():
            likely = nearest_name(path.name, [other.name for other in path.parent.iterdir()])
            remedy = suggest(likely and str(given.with_name(likely)), remedy)
        return self._mistake(key, f"no such {refusal.kind}: {given}", expected, received, remedy)


def _rewritten(key: str, value: Any, expected: str) -> str:
    """Say how a value would be written that was perhaps meant."""
    text = str(value)
    if value is None:
        return f"give {key} a value; null is none here"
    if "true or false" in expected and text.lower() in {"yes", "no", "on", "off", "1", "0"}:
        return "write true or false"
    if "true or false" in expected and text.lower() in {"true", "false"}:
        return f"write {text.lower()} without quotes"
    if text.lower() in {"none", "nil", "~", ""} and expected.endswith("null"):
        return f"write null: {key}=null"
    if expected.startswith("a list") and not isinstance(value, str | list | dict):
        return f"write a list: {key}=[{text}]"
    if "a whole number" in expected and isinstance(value, float) and value.is_integer():
        return f"write {value:.0f}"
    if isinstance(value, str) and re.fullmatch(r"0\d+|0[xob][\da-fA-F_]+", value):
        return "write the number in decimal digits, without a zero in front"
    if isinstance(value, str) and re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", value):
        return "write the number without quotes"
    return f"change {key}"


def _dotted_form(target: str) -> str | None:
    """Return `package.module.name` of what is written `package.module:name` or as a path."""
    form = re.sub(r"\.py(?=:|$)", "", target.strip()).replace(":", ".").replace("/", ".").strip(".")
    return form if form != target and re.fullmatch(r"\w+(\.\w+)+", form) else None


def _set(key: str) -> str:
    return f"set it: {key}=VALUE"


def _has_target(value: Any) -> bool:
    if isinstance(value, dict):
        return "_target_" in value or any(_has_target(item) for item in value.values())
    return isinstance(value, list) and any(_has_target(item) for item in value)
