"""Names as they are meant: two that look the same are the same."""

import unicodedata


def seen(name: str) -> str:
    """A name as the eye sees it: in one Unicode form, without letters that do not show."""
    text = "".join(one for one in name if unicodedata.category(one) != "Cf")
    return " ".join(unicodedata.normalize("NFC", text).split())


def folded(path: str) -> str:
    """A path by which others, in another case or Unicode form or with `\\`, are found again."""
    return seen(path.replace("\\", "/")).casefold()
