"""Names and numbers of files as errors and remarks tell them: on one line, whatever is in them, and not all of them."""

from __future__ import annotations

from collections.abc import Iterable

NAMED = 5  # names told of each kind; of the others the number
_LONGEST = 160  # characters of one name


def told_name(name: object) -> str:
    """One name: as it is where it can be printed on a line, escaped otherwise, shortened where it is very long.

    Example:
        >>> from murk.data.told_names import told_name
        >>> print(told_name("cat/1.png"), told_name("two" + chr(10) + "lines.png"))
        cat/1.png 'two\\nlines.png'
    """
    text = name if isinstance(name, str) and name.isprintable() and name.strip() else ascii(name)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def told_names(names: Iterable[object]) -> str:
    """The first five names, and how many more there are.

    Example:
        >>> from murk.data.told_names import told_names
        >>> told_names("abcdefg")
        'a, b, c, d, e and 2 more'
    """
    listed = list(names)
    more = f" and {len(listed) - NAMED:,} more" if len(listed) > NAMED else ""
    return ", ".join(map(told_name, listed[:NAMED])) + more


def counted(count: int, one: str, more: str = "") -> str:
    """A number with its noun; `more` where the plural takes more than an s.

    Example:
        >>> from murk.data.told_names import counted
        >>> counted(1, "class", "classes"), counted(1200, "image")
        ('1 class', '1,200 images')
    """
    return f"{count:,} {one if count == 1 else more or f'{one}s'}"
