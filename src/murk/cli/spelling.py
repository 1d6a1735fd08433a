"""How settings are spelled: the library names them as Python does, the command line by its options."""

from __future__ import annotations

import re

__all__ = ["SETTING", "in_options"]

SETTING = re.compile(r"`(?:columns=Columns\((?P<role>\w+)=\.\.\.\)|(?P<name>\w+)=(?:True|\.\.\.))`")
"""How the library writes a setting in its messages: between backticks, so that no text of the user is taken for one."""

_OTHER_NAMES = {"class_names": "classes", "columns": "column"}


def in_options(text: str) -> str:
    """Write the settings that a message of the library names as options.

    Example:
        >>> in_options("leave them out by `skip_corrupt=True`; name it by `columns=Columns(votes=...)`")
        'leave them out by --skip-corrupt; name it by --column votes=NAME'
    """
    return SETTING.sub(_option, text)


def _option(found: re.Match[str]) -> str:
    if found["role"]:
        return f"--column {found['role']}=NAME"
    return "--" + _OTHER_NAMES.get(found["name"], found["name"]).replace("_", "-")
