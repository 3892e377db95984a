"""The command line: `reprise VERB key=value …`, its exit codes, and options of the form key=value.

Each verb is a module of `reprise.cli` with a function `main(argv)`.
"""

import errno
import importlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from reprise import project
from reprise.config.secrets import redact
from reprise.errors import Stopped, UserError

QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "SM_FRAMEWORK": "tf.keras",  # segmentation-models reads it when it is imported
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DVC_NO_ANALYTICS": "true",
}

NO_VERBS = ("__init__", "main")
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}


def main() -> None:
    """Run the verb that the command line names; `reprise` and `reprise help` list the verbs."""
    verb, *words = sys.argv[1:] or ["help"]
    if verb in ("help", "-h", "--help"):
        print(f"usage: reprise VERB key=value …\nverbs: {', '.join(_verbs())}")
    else:
        run(lambda words: _module(verb).main(words), words)


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


def run(verb: Callable[[list[str]], None], words: list[str]) -> None:
    """Call `verb` with the words of the command line, and exit.

    0: done. 2: the user's mistake, said without a traceback. 75: stopped, and can be resumed.
    130: Ctrl-C. 1: ours, with a traceback.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        project.enter()
        verb(words)
        sys.stdout.flush()
    except UserError as mistake:
        print(f"\nerror: {redact(str(mistake))}", file=sys.stderr)
        sys.exit(2)
    except Stopped as stopped:
        resume = f"{project.typed('resume')} {stopped.kind}={stopped.run}"
        print(f"stopped; to go on: {resume}", file=sys.stderr)
        sys.exit(130 if stopped.signal == signal.SIGINT else 75)
    except KeyboardInterrupt:
        print("\nstopped by Ctrl-C", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python complains of it at its exit
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        no_room = UserError(
            f"cannot write {error.filename or 'a file'}",
            expected="room on the disk, and the right to write",
            received=str(error),
            remedy="make room; a run that was under way is in make runs, and goes on from there",
        )
        print(f"\nerror: {redact(str(no_room))}", file=sys.stderr)
        sys.exit(2)


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
        if key not in defaults or not value:
            raise UserError(f"'{key}' is not an option", usage, " ".join(argv), f"use: {usage}")
    for key, default in defaults.items():
        if default is None and key not in given:
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
