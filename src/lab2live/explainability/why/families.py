"""Columns that follow from each other: their reasons are one reason, since none of them can change alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from lab2live.explainability.derived import mentioned


@dataclass(frozen=True)
class Family:
    """Columns of the model that belong together.

    Attributes
    ----------
    name
        For people: `bill`, or `bill, lines (with bill_per_line)`.
    members
        All of them, in the order in which the model takes them.
    sources
        Those that are not computed from others: what is named when a reason is told.
    """

    name: str
    members: tuple[str, ...]
    sources: tuple[str, ...]


def families(columns: Collection[str], derived: Mapping[str, str]) -> tuple[Family, ...]:
    """Put every derived column together with the columns that it is computed from.

    Only what the charter says counts: what a project's own `add_features` computes from what, nobody can know.

    Parameters
    ----------
    columns
        The columns of the model.
    derived
        Column -> expression, as in the charter's `prediction.derived`.

    Returns
    -------
    tuple of Family
        Every column of the model is in exactly one; most are alone.
    """
    together = {name: name for name in (*columns, *derived)}
    for name, expression in derived.items():
        for source in filter(together.__contains__, mentioned(expression)):
            # the head of a family is any of its columns: what counts is that all have the same one
            old, new = together[name], together[source]
            together = {column: new if head == old else head for column, head in together.items()}
    found: dict[str, list[str]] = {}
    for name in columns:
        found.setdefault(together[name], []).append(name)
    return tuple(_family(members, derived) for members in found.values())


def _family(members: list[str], derived: Mapping[str, str]) -> Family:
    sources = [name for name in members if name not in derived] or members[:1]
    others = [name for name in members if name not in sources]
    name = ", ".join(sources) + (f" (with {', '.join(others)})" if others else "")
    return Family(name, tuple(members), tuple(sources))
