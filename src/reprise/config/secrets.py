"""Passwords and tokens masked in whatever leaves the program."""

import re
from typing import TypeVar

Value = TypeVar("Value")

MASK = "***"
_NAME = r"(?:\w+_)?(?:password|passwd|secret|api_key|access_token|auth_token)"
# A password runs to the last @ of its word: one that holds an unescaped @ or / is masked whole.
# `host:8080/` is a port, no password.
_IN_URL = re.compile(r"(\w[\w+.-]*://[^\s:/@]*):(?!\d+(?:[/?#\s]|$))\S*@")
_TOKEN_IN_URL = re.compile(r"(https?://)[^\s:/@]+@")
# In a URL's query or an override. Not in `connect(password=word)`: a masked patch must still apply.
_AFTER_NAME = re.compile(rf"((?:^|[?&.]){_NAME}=)[^\s&;]+", re.IGNORECASE)
_SECRET_KEY = re.compile(_NAME, re.IGNORECASE)


def redact(value: Value) -> Value:
    """Mask the passwords and tokens of URLs, of overrides, and of keys named so.

    Args:
        value: A text, or nested dicts and lists that hold texts; it is not changed.

    Returns:
        The same structure, other values untouched.
    """
    if isinstance(value, str):
        text = _IN_URL.sub(rf"\1:{MASK}@", value)
        text = _TOKEN_IN_URL.sub(rf"\1{MASK}@", text)
        return _AFTER_NAME.sub(rf"\1{MASK}", text)  # type: ignore[return-value]
    if isinstance(value, dict):
        return {name: _entry(name, item) for name, item in value.items()}  # type: ignore[return-value]
    if isinstance(value, list):
        return [redact(item) for item in value]  # type: ignore[return-value]
    return value


def _entry(name: object, item: object) -> object:
    if isinstance(item, str) and item and _SECRET_KEY.fullmatch(str(name)):
        return MASK
    return redact(item)
