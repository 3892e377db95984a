"""Carries an exception from a worker process to the consumer, whether it can be pickled or not."""

import pickle
import traceback

Packed = tuple[bytes | None, str]


def pack(error: BaseException) -> Packed:
    """The exception as bytes, if it survives pickling, and its traceback as text."""
    text = "".join(traceback.format_exception(error))
    try:
        data = pickle.dumps(error)
        pickle.loads(data)  # many can be written but not read: those with arguments of their own
    except Exception:
        return None, text
    return data, text


def unpack(packed: Packed) -> Exception:
    """The exception that `pack` was given, or a RuntimeError that tells all that is known of it."""
    data, text = packed
    try:
        error = pickle.loads(data) if data else None
    except Exception:
        error = None
    if not isinstance(error, Exception):  # SystemExit in a worker must not end the whole run
        return RuntimeError(f"in a worker process:\n{text}")
    error.add_note(f"in a worker process:\n{text}")
    return error
