"""The command line: `reprise VERB key=value …`, its exit codes, and options of the form key=value.

Each verb is a module of `reprise.cli` with a function `main(argv)`.
"""

import atexit
import errno
import faulthandler
import importlib
import io
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, ModuleType

from reprise import project
from reprise.config.files import CONF, Conf
from reprise.config.secrets import redact
from reprise.errors import Stopped, UserError

QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "SM_FRAMEWORK": "tf.keras",  # segmentation-models reads it when it is imported
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "DVC_NO_ANALYTICS": "true",
}

NO_VERBS = ("__init__", "main")
ANYWHERE = ("doctor", "new-project", "new_project")  # verbs that need no project around them
NO_ROOM = {
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EACCES, errno.EPERM, errno.ENOTDIR,
}  # fmt: skip


class Output(io.TextIOWrapper):
    """Text to the terminal, a pipe or a file; where it is not taken, it is lost.

    A run does not end because nobody reads what it prints: the reader of its pipe has gone, its
    terminal was closed, or the disk under its log is full.
    """

    def write(self, text: str) -> int:
        """Write a text, with escapes for what the encoding does not have."""
        try:
            return super().write(text)
        except OSError as error:
            self._lose(error)
            return len(text)

    def flush(self) -> None:
        """Write out what is waiting."""
        try:
            super().flush()
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        if error.errno == errno.EPIPE:  # for good
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())


def open_outputs() -> None:
    """Have stdout and stderr written through `Output`; those that are closed lead nowhere."""
    for number in range(3):  # or the next file that is opened takes the number
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None or type(stream) is io.TextIOWrapper:  # else a test captures it
            raw = open(number, "wb", closefd=False)  # noqa: SIM115
            encoding = stream.encoding if stream else "utf-8"
            by_line = number == 2 or os.isatty(number)
            setattr(sys, name, Output(raw, encoding, "backslashreplace", line_buffering=by_line))


def have_home() -> None:
    """Give the libraries a home folder where the user has none: a user id without a name, say."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = home = tempfile.mkdtemp(prefix="home-")
        atexit.register(shutil.rmtree, home, ignore_errors=True)


def main() -> None:
    """Run the verb that the command line names; `reprise` and `reprise help` list the verbs."""
    verb, *words = sys.argv[1:] or ["help"]
    if verb in ("help", "-h", "--help"):
        print(f"usage: reprise VERB key=value …\nverbs: {', '.join(_verbs())}")
    else:
        run(lambda words: _module(verb).main(words), words, anywhere=verb in ANYWHERE)


def _verbs() -> list[str]:
    files = Path(__file__).parent.glob("*.py")
    return sorted(file.stem.replace("_", "-") for file in files if file.stem not in NO_VERBS)


def _module(verb: str) -> ModuleType:
    """Import the module of one verb; those of the others are not imported."""
    if verb.replace("_", "-") not in _verbs():
        raise UserError(
            f"there is no verb '{verb}'", ", ".join(_verbs()), verb, "choose one of these"
        )
    return importlib.import_module(f"reprise.cli.{verb.replace('-', '_')}")


def run(verb: Callable[[list[str]], None], words: list[str], *, anywhere: bool = False) -> None:
    """Call `verb` with the words of the command line, and exit; `anywhere`: in no project.

    0: done. 2: the user's mistake, said without a traceback. 75: stopped, and can be resumed.
    130: Ctrl-C. 1: ours, with a traceback.
    """
    with suppress(OSError, ValueError, AttributeError, RuntimeError):  # stderr is closed
        faulthandler.enable()  # says where a library has crashed, which otherwise ends in silence
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    open_outputs()
    have_home()
    try:
        if not anywhere:
            project.enter()
        with _own_files():
            verb(words)
        sys.stdout.flush()
    except UserError as mistake:
        with suppress(OSError, ValueError):  # what was listed before stands above it in a log, too
            sys.stdout.flush()
        print(f"\nerror: {redact(str(mistake))}", file=sys.stderr)
        sys.exit(2)
    except Stopped as stopped:
        from reprise.runs.folder import to_type

        how = "before there was a run; to begin, type the same again"
        if stopped.run:
            runs = stopped.runs or project.ROOT / "runs"
            how = f"to go on: {to_type('resume', f'{stopped.kind}={stopped.run}', runs)}"
        print(f"stopped; {how}", file=sys.stderr)
        sys.exit(130 if stopped.signal == signal.SIGINT else 75)
    except KeyboardInterrupt as asked:
        is_typed = asked.args in ((), (signal.SIGINT,))
        print("\nstopped by Ctrl-C" if is_typed else "\nstopped", file=sys.stderr)
        sys.exit(130 if is_typed else 75)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        no_room = UserError(
            f"cannot read or write {error.filename or 'a file'}",
            expected="room on the disk, and the right to read or write there",
            received=str(error),
            remedy="make room, or get the right; a run that was under way is in make runs",
        )
        print(f"\nerror: {redact(str(no_room))}", file=sys.stderr)
        sys.exit(2)


@contextmanager
def _own_files() -> Iterator[None]:
    """Say what fetches a file that a project's own code misses, where DVC has it."""
    try:
        yield
    except Exception as error:
        from reprise.datasets.tracked import require_pulled

        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, FileNotFoundError) and isinstance(cause.filename, str):
                require_pulled(Path(cause.filename))
            cause = cause.__cause__ or cause.__context__
        raise


@contextmanager
def undone_when_stopped() -> Iterator[None]:
    """Have SIGTERM and a closed terminal end a verb as Ctrl-C does: what is half made is removed.

    A second signal does not interrupt that.
    """
    numbers = [
        number
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) != signal.SIG_IGN  # as under nohup
    ]

    def stop(number: int, frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt(number)

    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def options(argv: list[str], **defaults: str | None) -> dict[str, str]:
    """Read words of the form `key=value`, for the verbs that take no config.

    Args:
        argv: The words.
        defaults: Every key there is; None marks one that must be given.

    Raises:
        UserError: a word is not of that form, a key is unknown, or one is missing.
    """
    usage = " ".join(f"{k}={v}" if v else f"{k}=…" for k, v in defaults.items())
    given = dict(word.partition("=")[::2] for word in argv)
    for key, value in given.items():
        if key not in defaults or (not value and defaults[key] is not None):
            raise UserError(f"'{key}' is not an option", usage, " ".join(argv), f"use: {usage}")
    for key, default in defaults.items():
        if default is None and not given.get(key):
            received = " ".join(argv) or "nothing"
            raise UserError(f"{key}=… is missing", usage, received, f"add {key}=…")
    return {key: given.get(key, default or "") for key, default in defaults.items()}


def split_options(argv: list[str], **defaults: str | None) -> tuple[dict[str, str], list[str]]:
    """Separate a verb's own options from the words that change a configuration.

    Returns:
        The options, as `options` reads them, and the other words.
    """
    own = [word for word in argv if word.partition("=")[0] in defaults]
    return options(own, **defaults), [word for word in argv if word not in own]


def with_experiment(verb: str, words: list[str]) -> list[str]:
    """Add an experiment to words that choose none.

    It is the only one of the project's own; of several, the one that is chosen at the terminal.

    Args:
        verb: The verb, for the message.
        words: Words of the command line.

    Raises:
        UserError: there are several, and no terminal to ask at.
    """
    conf = Conf(CONF)
    given = {re.split("[=@]", word.lstrip("+"), maxsplit=1)[0] for word in words}
    needed = {group for group, option in conf.groups.items() if option == "???"}
    if "experiment" in given or conf.groups.get("experiment") or needed <= given:
        return words
    own = conf.options("experiment", own=True)
    name = own[0] if len(own) == 1 else _choose(verb, own or conf.options("experiment"), conf)
    print(f"experiment={name}", file=sys.stderr, flush=True)
    return [f"experiment={name}", *words]


def _choose(verb: str, names: list[str], conf: Conf) -> str:
    """Ask which experiment is meant; without a terminal, or an answer, list them in an error."""
    longest = max(map(len, names), default=0)
    listed = [
        f"{one:<{longest}}  {conf.description(f'experiment/{one}')}".rstrip() for one in names
    ]
    if names and sys.stdin.isatty() and sys.stderr.isatty():
        width = shutil.get_terminal_size().columns
        for number, line in enumerate(listed, 1):
            print(f"{number:>3}  {line}"[:width], file=sys.stderr)
        while True:
            print("which experiment, by number or name? ", end="", file=sys.stderr, flush=True)
            answer = sys.stdin.readline().strip()
            if answer in names:
                return answer
            if answer.isdecimal() and 0 < int(answer) <= len(names):
                return names[int(answer) - 1]
            if not answer:
                break
    word = "exp" if (typed := project.typed(verb)).startswith("make") else "experiment"
    raise UserError(
        "no experiment is chosen",
        expected="\n".join([f"{word}=NAME, one of", *listed]),
        received="none",
        remedy=f"{typed} {word}={names[0] if names else 'NAME'}",
    )
