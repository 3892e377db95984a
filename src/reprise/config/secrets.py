"""Masking of passwords and tokens in everything the program writes."""

import re
from typing import TypeVar

Value = TypeVar("Value")

MASK = "***"
_NAME = r"(?:\w+_)?(?:password|passwd|secret|api_key|access_token|auth_token)"
# A password extends to the last @ of its word: one with an unescaped @ or / is masked whole.
# `host:8080/` is a port, no password.
_IN_URL = re.compile(r"(\w[\w+.-]*://[^\s:/@]*):(?!\d+(?:[/?#\s]|$))\S*@")
_TOKEN_IN_URL = re.compile(r"(https?://)[^\s:/@]+@")
# In a URL's query or an override. Not in `connect(password=word)`: a masked patch must still apply.
_AFTER_NAME = re.compile(rf"((?:^|[?&.]){_NAME}=)[^\s&;]+", re.IGNORECASE)
_SECRET_KEY = re.compile(_NAME, re.IGNORECASE)


def redact(value: Value) -> Value:
    """Mask passwords and tokens in URLs, in overrides, and under keys with such names.

    Args:
        value: A text, or nested dicts and lists with texts; it is not modified.

    Returns:
        A copy of the same structure.
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
