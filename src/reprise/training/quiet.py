"""Import Keras without what native libraries write to stderr, and without what no run uses."""

import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from reprise.errors import UserError

# Keras imports these where they are installed: for its scikit-learn wrappers, data frames in `fit`
# and galleries of pictures. They take a third of its import's time.
OPTIONAL = ("matplotlib", "pandas", "sklearn")

BACKENDS = ("tensorflow", "jax")


def import_keras() -> None:
    """Import Keras and TensorFlow; what they write to stderr is shown only if the import fails.

    Raises:
        UserError: the backend that KERAS_BACKEND names is not supported, or not installed.
    """
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if backend not in BACKENDS or find_spec(backend) is None:
        raise UserError(
            f"KERAS_BACKEND={backend}: Keras cannot run on it here",
            f"one of {', '.join(BACKENDS)}, installed",
            "no package of that name" if backend in BACKENDS else backend,
            f'pip install "reprise[{backend}]", or unset KERAS_BACKEND',
        )
    left_out = [name for name in OPTIONAL if name not in sys.modules]
    for name in left_out:
        sys.modules[name] = None  # type: ignore[assignment]  # as if it were not installed
    try:
        with native_notes_hidden():
            importlib.import_module("keras")
            importlib.import_module("tensorflow")  # feeds every backend
    finally:
        for name in left_out:
            del sys.modules[name]


@contextmanager
def native_notes_hidden() -> Iterator[None]:
    """Keep what libraries write straight to stderr off the terminal; shown after all on an error.

    TensorFlow does so while it is imported, before it has read any setting of how much to say.
    """
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        try:
            yield
        except BaseException:
            notes.seek(0)
            os.write(terminal, notes.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
