"""How settings are spelled: the library names them as Python does, the command line by its options."""

from __future__ import annotations

import re
from collections.abc import Collection

__all__ = ["SETTING", "in_options"]

SETTING = re.compile(r"`(?:columns=Columns\((?P<role>\w+)=\.\.\.\)|(?P<name>\w+)=(?:True|\.\.\.))`")
"""How the library writes a setting in its messages: between backticks, so that no text of the user is taken for one."""

_OTHER_NAMES = {"class_names": "classes", "columns": "column"}


def in_options(text: str, known: Collection[str] | None = None) -> str:
    """Write the settings that a message of the library names as options.

    Args:
        text: the message.
        known: the options that there are: what none of them sets, as in a study's file, is written by its bare name.
            None: every setting has its option.

    Example:
        >>> in_options("leave them out by `skip_corrupt=True`; name it by `columns=Columns(votes=...)`")
        'leave them out by --skip-corrupt; name it by --column votes=NAME'
        >>> in_options("`epochs=...` is a whole number", known=["--store"])
        'epochs is a whole number'
    """
    return SETTING.sub(lambda found: _option(found, known), text)


def _option(found: re.Match[str], known: Collection[str] | None) -> str:
    name = found["name"] or "columns"
    option = "--" + _OTHER_NAMES.get(name, name).replace("_", "-")
    if known is not None and option not in known:
        return f"{name}: {found['role']}" if found["role"] else name
    return f"{option} {found['role']}=NAME" if found["role"] else option
