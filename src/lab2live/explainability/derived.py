"""Columns that follow from others: the charter's `prediction.derived`, computed again when a source changes.

An expression may add, subtract, multiply, divide (`/`, `//`, `%`) and raise to a power (`**`). Every word in it is a
column; one whose name is no plain word stands in backticks or quotes. It is taken apart and computed here, on whole
columns: nothing in it is ever run as code.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lab2live.charter.schema import did_you_mean
from lab2live.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

# Deeper nesting than fits in here would exhaust Python's stack, and nobody could read it.
MOST_CHARACTERS = 1000
# Of the spread of a derived column: silos round what they derive, and that is no contradiction.
ROUNDING = 0.01

_BINARY: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_UNARY: Mapping[type, Callable[[Any], Any]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
_ALLOWED = "numbers, columns, + - * / // % ** and brackets; column names that are no plain word in `backticks`"
# A number, a quoted name, or a word; numbers first, so that the e of 1e3 is no column.
_TOKEN = re.compile(r"""(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|`([^`]+)`|"([^"]+)"|'([^']+)'|([^\W\d]\w*)""")


@dataclass(frozen=True)
class Formula:
    """How one column follows from others.

    Attributes
    ----------
    column
        The derived column.
    expression
        As it stands in the charter.
    sources
        The columns in it, in the order in which they occur.
    """

    column: str
    expression: str
    sources: tuple[str, ...]
    _tree: ast.expr = field(repr=False, compare=False)

    def compute(self, numbers: Mapping[str, np.ndarray]) -> np.ndarray:
        """Compute the column.

        Parameters
        ----------
        numbers
            Source -> its values as floats, shape (rows,), NaN for missing; see `reading`.

        Returns
        -------
        numpy.ndarray
            Shape (rows,); NaN where a source is missing or the result is no finite number, e.g. after division by 0.
        """
        with np.errstate(all="ignore"):
            found = np.asarray(self._value(self._tree, numbers), dtype=float)
        return np.where(np.isfinite(found), found, np.nan)

    def _value(self, node: ast.expr, numbers: Mapping[str, np.ndarray]) -> Any:
        if isinstance(node, ast.BinOp):
            return _BINARY[type(node.op)](self._value(node.left, numbers), self._value(node.right, numbers))
        if isinstance(node, ast.UnaryOp):
            return _UNARY[type(node.op)](self._value(node.operand, numbers))
        if isinstance(node, ast.Name):
            return numbers[self.sources[int(node.id[1:])]]
        assert isinstance(node, ast.Constant)
        # numpy's own floats: 9 ** 9 ** 9 is infinite at once, where Python would compute it digit by digit
        return np.float64(node.value)  # type: ignore[arg-type]


def formulas(derived: Mapping[str, str], known: Collection[str], where: str) -> tuple[Formula, ...]:
    """Read the expressions of derived columns.

    Parameters
    ----------
    derived
        Column -> expression, as in the charter's `prediction.derived`.
    known
        The columns that an expression may name.
    where
        The charter's file, for errors.

    Returns
    -------
    tuple of Formula
        In an order in which each can be computed: a derived column may be the source of another.

    Raises
    ------
    UserError
        If an expression cannot be read, names an unknown column or none, or columns are derived from each other.
    """
    read = {column: formula(column, expression, known, where) for column, expression in derived.items()}
    ordered: dict[str, Formula] = {}
    while len(ordered) < len(read):
        ready = [
            column
            for column, one in read.items()
            if column not in ordered and all(source in ordered or source not in read for source in one.sources)
        ]
        if not ready:
            circle = [column for column in read if column not in ordered]
            raise UserError(
                "Columns are derived from each other in a circle.",
                where=f"{where}, field `prediction.derived`",
                found="; ".join(f"{column}: {derived[column]}" for column in circle),
                expected="columns that in the end follow from columns that are not derived",
                fix=f"leave out one of {', '.join(circle)}",
            )
        ordered |= {column: read[column] for column in ready}
    return tuple(ordered.values())


def formula(column: str, expression: str, known: Collection[str], where: str) -> Formula:
    """Read one expression, see `formulas`."""

    def wrong(problem: str, found: object, expected: str, fix: str) -> UserError:
        field_name = f"{where}, field `prediction.derived.{column}`"
        return UserError(problem, where=field_name, found=found, expected=expected, fix=fix)

    if len(expression) > MOST_CHARACTERS:
        shown = f"{len(expression):,} characters"
        raise wrong("An expression is too long.", shown, f"at most {MOST_CHARACTERS:,}", "derive it in several steps")
    sources: dict[str, None] = {}

    def placeholder(match: re.Match[str]) -> str:
        name = _name(match)
        if name is None:
            return match.group()
        if name not in known:
            hint = did_you_mean(name, known)
            raise wrong(
                "An expression names a column that is not in the joined table.",
                f"`{name}` in {expression}{hint}",
                f"one of {', '.join(map(str, known))}",
                "correct the name; one with spaces or signs in it stands in `backticks`",
            )
        sources.setdefault(name)
        return f"c{list(sources).index(name)}"

    # every word becomes a placeholder, so that a column may be called `class`, and no function can be named
    text = _TOKEN.sub(placeholder, expression)
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        allowed = all(_is_allowed(node) for node in ast.walk(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        allowed = False
    if not allowed:
        raise wrong("An expression cannot be read.", expression, _ALLOWED, "write it with these, e.g. 12 * bill")
    if not sources:
        raise wrong("An expression names no column.", expression, "at least one column", "say what it follows from")
    return Formula(column, expression, tuple(sources), tree)


def _is_allowed(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return type(node.value) in (int, float)
    if isinstance(node, ast.Name):
        return re.fullmatch(r"c\d+", node.id) is not None
    return isinstance(node, ast.BinOp | ast.UnaryOp | ast.expr_context) or type(node) in {*_BINARY, *_UNARY}


def mentioned(expression: str) -> list[str]:
    """Give the columns that an expression names, whether they are there or not."""
    return [name for match in _TOKEN.finditer(expression) if (name := _name(match)) is not None]


def _name(match: re.Match[str]) -> str | None:
    return next((group for group in match.groups() if group is not None), None)


def reading(column: pd.Series) -> np.ndarray:
    """Read a source as numbers; what is no number but a date counts in days since 2000-01-01."""
    from lab2live.data.feature_types import as_days, as_numbers

    numbers = as_numbers(column)
    unread = np.isnan(numbers) & column.notna().to_numpy()
    if unread.any():
        numbers[unread] = as_days(column[unread])
    return numbers


def holds(frame: pd.DataFrame, read: Collection[Formula]) -> dict[str, float]:
    """Say in which share of the rows a formula gives what stands in its column.

    Parameters
    ----------
    frame
        Rows with the derived columns and their sources.
    read
        See `formulas`.

    Returns
    -------
    dict
        Column -> share of the rows where both are known; NaN where none is. Differences up to 1 % of the column's
        standard deviation are taken for rounding.
    """
    shares = {}
    for one in read:
        found = reading(frame[one.column])
        computed = one.compute({source: reading(frame[source]) for source in one.sources})
        both = np.isfinite(found) & np.isfinite(computed)
        off = np.abs(found - computed)[both]
        room = ROUNDING * found[both].std() if both.any() else 0.0
        shares[one.column] = float((off <= room + 1e-9 * np.abs(found[both])).mean()) if both.any() else float("nan")
    return shares
