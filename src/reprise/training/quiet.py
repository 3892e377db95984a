"""Hides what native libraries write to stderr while they are imported."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


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
