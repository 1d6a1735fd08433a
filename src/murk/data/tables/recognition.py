"""Recognition: the roles of a table's columns, told by their names and kinds where the user does not name them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from murk.data.tables.columns import Columns, Roles
from murk.data.tables.table_columns import Table, quoted
from murk.errors import refuse

_KNOWN_NAMES = {
    "path": "path paths file files filename filepath image images imagepath imagefile img imgpath",
    "example": "example examples item itemid task taskid unit unitid imageid exampleid image",
    "id": "id ids uid uuid identifier",
    "annotator": "annotator annotatorid worker workerid rater raterid labeler labelerid labeller",
    "votes": "vote votes answer answers response",
    "label": "label labels class classname category target y",
    "weight": "weight weights voteweight",
    "group": "group groups groupid",
    "split": "split splits subset partition",
}
_WIDE = re.compile(
    r"(vote|label|annotator|worker|rater|labeler|labeller|lf)(?:[ _.-]*\d+|[ _.-]+(?!\d)(?P<word>.+))", re.I
)
_NOT_A_VOTER = re.compile(r"(id|ids|name|names|count|source|time|date|confidence|score|weight|age|text|type)", re.I)
_ONE_HOT = re.compile(r"(label|class|target|y)[ _.-]+(?P<class>.+)", re.I)
_NO_FEATURE = re.compile(
    r"(?:.*[ _.-])?(?:id|uid|uuid|index|idx|row|number|nr|no|timestamp)|.*[a-z]I[dD]|unnamed.*|__index_level_\d+__|\s*",
    re.IGNORECASE,
)
_TOLD = {
    "path": "paths of the images", "example": "the example that a row is about", "id": "ids",
    "annotator": "who voted", "votes": "votes", "label": "labels", "weight": "weights of the votes",
    "group": "groups", "split": "train or test",
}  # fmt: skip


def recognised(table: Table, columns: Columns, *, for_votes: bool = False) -> Roles:
    """Give every column its role, or refuse with everything that is wrong.

    Args:
        table: of examples, or of votes alone.
        columns: what the user named, all of it in this table.
        for_votes: the table holds votes on examples that lie elsewhere: no features, paths are names of examples.

    Raises:
        InputError: two columns that could be the same, one-hot labels, or a table that holds nothing to learn from.
    """
    roles, faults = Roles(), []
    named = dict(columns.named()) | {"votes": columns.votes, "features": columns.features}
    free = [name for name in table.names if name not in {name for _, name in columns.named()}]
    for role, known in _KNOWN_NAMES.items():
        chosen = named.get(role)
        if chosen:
            setattr(roles, role, chosen)
        elif role != "path" or not columns.features:
            found = [name for name in free if _plain(name) in known.split() and _fits(table, role, name, for_votes)]
            found = [name for name in found if table.kind(name) == "image"] or found  # rather than where it came from
            faults += _ambiguous(table, role, found)
            if found:
                setattr(roles, role, (found[0],) if role == "votes" else found[0])
                free.remove(found[0])
    _find_form(table, columns, roles, free, for_votes)
    if not columns.weight and not (roles.is_long or for_votes):
        roles.weight = None
    if not for_votes:
        faults += _find_features(table, columns, roles)
    refuse([*faults, *_form_faults(table, roles, for_votes, are_named=bool(columns.votes))])
    _tell(table, roles, for_votes)
    return roles


def _plain(name: str) -> str:
    return re.sub(r"[\s_.-]", "", name).lower()


def _fits(table: Table, role: str, name: str, for_votes: bool) -> bool:
    """Whether the cells can be what the name says."""
    kind = table.kind(name)
    if role == "path":
        return kind in ("text", "image") or (for_votes and kind == "number")
    if role == "weight":
        return kind == "number"
    return kind in ("text", "number") or (role in ("label", "votes") and kind in ("list", "empty"))


def _ambiguous(table: Table, role: str, found: Sequence[str]) -> list[str]:
    if len(found) < 2:
        return []
    return [
        f"expected one column of {table.where} that could be the {role}, got {quoted(found)}; say which by "
        f"`columns=Columns({role}=...)`"
    ]


def _find_form(table: Table, columns: Columns, roles: Roles, free: list[str], for_votes: bool) -> None:
    """Long or wide; the votes of a wide table; the one column that tells examples apart."""
    wide = [name for name in free if _is_voter(table, name)] if not columns.votes else list(columns.votes)
    plain = roles.votes
    if columns.example or roles.annotator:
        roles.is_long = True
    elif roles.example:
        roles.is_long = not (wide and for_votes) and not table.all_different(roles.example)
    if for_votes and not wide and (plain or roles.label):
        roles.is_long = True
    name = roles.id or roles.path
    if len(columns.votes) == 1 and name and table.kind(name) != "image" and not table.all_different(name):
        roles.is_long = True
    if not roles.is_long:
        roles.id, roles.example = roles.id or roles.example, None
        roles.votes = tuple(dict.fromkeys([*roles.votes, *wide]))
    elif not roles.votes:
        roles.votes, roles.label = ((roles.label,) if roles.label else ()), None
    if roles.is_long or for_votes:
        key = roles.example or roles.id or roles.path
        if roles.is_long and roles.example is None and roles.id and roles.path:
            key = roles.path if table.all_different(roles.id) and not table.all_different(roles.path) else roles.id
        roles.id, roles.example = None, key
    if for_votes:
        roles.path = roles.label = roles.group = roles.split = None


def _is_voter(table: Table, name: str) -> bool:
    found = _WIDE.fullmatch(name.strip())
    if not found or table.kind(name) not in ("text", "number", "empty"):
        return False
    return not (found["word"] and _NOT_A_VOTER.fullmatch(found["word"]))


def _find_features(table: Table, columns: Columns, roles: Roles) -> list[str]:
    """Features: as named, else the one column of lists, else the numbers left over; images need none."""
    images = [name for name in table.names if table.kind(name) == "image" and name not in roles.used()]
    if columns.features:
        roles.features = tuple(columns.features)
        if roles.path:
            return ["expected either paths of images or features, got both; leave one out"]
    elif roles.path is None and images:
        roles.path = images[0]
        return _ambiguous(table, "path", images)
    elif roles.path is None:
        left = [name for name in table.names if name not in roles.used()]
        lists = [name for name in left if table.kind(name) == "list" and table.holds_numbers(name)]
        numbers = [name for name in left if table.kind(name) == "number" and not _is_number_of_a_row(table, name)]
        roles.features = tuple(lists[:1] or numbers)
        return _ambiguous(table, "features", lists)
    return []


def _is_number_of_a_row(table: Table, name: str) -> bool:
    return bool(_NO_FEATURE.fullmatch(name) or _is_voter(table, name)) or table.counts_rows(name)


def _form_faults(table: Table, roles: Roles, for_votes: bool, *, are_named: bool) -> list[str]:
    """What keeps a table with these roles from being read."""
    faults, where = [], table.where
    hot = "" if are_named else _one_hot(table, roles)
    if hot:
        faults.append(hot)
    if roles.is_long and roles.example is None:
        faults.append(f"expected a column of {where} that says which example each vote is about, got only "
                      f"{quoted(table.names, most=12)}; name it by "
                      "`columns=Columns(example=...)`")  # fmt: skip
    if roles.is_long and len(roles.votes) > 1:
        faults.append(f"expected one column of votes in the long table {where}, one row a vote, got "
                      f"{quoted(roles.votes)}; name the one, or leave the annotator out")  # fmt: skip
    if for_votes and not roles.votes:
        faults.append(f"expected votes in {where}, got the columns {quoted(table.names, most=12)}; call them vote_1, "
                      "vote_2, ... or name them by `columns=Columns(votes=...)`")  # fmt: skip
    if for_votes and roles.example is None and not roles.is_long:
        faults.append(f"expected a column `example` in {where} that says which example a row is about; add it, or "
                      "name it by `columns=Columns(example=...)`")  # fmt: skip
    if not for_votes and not roles.path and not roles.features:
        faults.append(
            f"expected a column of image paths, or columns of numbers as features, in {where}, got "
            f"{quoted(table.names, most=12)}; a table of votes goes beside data (`votes=...`), texts are embedded first"
        )
    wrong = [name for name in roles.features if table.kind(name) not in ("number", "list")]
    for name in wrong[:5]:
        got = table.first_that_is_no_number(name) or f"cells of kind {table.kind(name)}"
        faults.append(f"expected feature {name!r} of {where} as numbers, got {got}; correct it")
    if len(roles.features) > 1 and any(table.kind(name) == "list" for name in roles.features):
        faults.append("expected features as several columns of numbers or one column of lists, got both; name one")
    return faults


def _one_hot(table: Table, roles: Roles) -> str:
    """The sentence that refuses a column a class, or nothing."""
    if roles.label is not None and not roles.votes:
        return ""
    pool = [name for name in table.names if table.kind(name) == "number" and name not in {roles.id, roles.weight}]
    words = [name for name in pool if (found := _ONE_HOT.fullmatch(name)) and not found["class"].isdecimal()]
    numbered = [name for name in pool if (found := _ONE_HOT.fullmatch(name)) and found["class"].isdecimal()]
    for names, least in ((words, 2), (numbered, 3)):
        if len(names) < least or roles.is_long:
            continue
        sums = np.sum([table.numbers(name) for name in names], axis=0)
        zero_one = all(bool(np.isin(table.numbers(name), (0, 1)).all()) for name in names)
        if not zero_one or (least == 3 and not ((sums == 1).all() and len(table) >= 10)):
            continue
        if (sums > 1).any():
            return (f"expected one label an example in {table.where}, got several ones among {quoted(names)}, first in "
                    f"row {int((sums > 1).argmax())}; multi-label data is not served: keep one class each")  # fmt: skip
        return (f"expected one column of labels in {table.where}, got a column for each class, {quoted(names)}; write "
                "the name of the class into one column `label` (or, if these are votes, "
                "name them by `columns=Columns(votes=...)`)")  # fmt: skip
    return ""


def _tell(table: Table, roles: Roles, for_votes: bool) -> None:
    """What every column was taken for; those that nothing uses are oddities, too."""
    for role, said in _TOLD.items():
        value: Any = getattr(roles, role)
        for name in value if isinstance(value, tuple) else (value,) if value else ():
            roles.told[name] = said if name not in roles.told else f"{roles.told[name]}; {said}"
    if roles.path is not None and table.kind(roles.path) == "image":
        roles.told[roles.path] = "images"
    features = dict.fromkeys(roles.features, "features")
    roles.told = {name: roles.told.get(name) or features.get(name) or _unused(table, name) for name in table.names}
    unused = [f"{name!r} ({roles.told[name][len('not used: ') :]})" for name in table.names if name not in roles.used()]
    if unused:
        shown = "; ".join(unused[:8]) + (f"; and {len(unused) - 8:,} more" if len(unused) > 8 else "")
        roles.oddities.append(f"columns of {table.where} that nothing uses: {shown}")


def _unused(table: Table, name: str) -> str:
    kind = table.kind(name)
    if kind == "number":
        return "not used: numbers" + (
            ", an id or a row number by its name or order"
            if _NO_FEATURE.fullmatch(name) or table.counts_rows(name)
            else ""
        )
    first = table.first_that_is_no_number(name) if kind == "text" else ""
    return f"not used: {kind}{f', {first}' if first else ''}"
