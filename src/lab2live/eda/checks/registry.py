"""Checks of a project's own: functions in its checks.py, run on the same tables as the built-in ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pandas as pd

from lab2live.charter.gates import OWN
from lab2live.charter.schema import Charter
from lab2live.eda.checks.catalogue import CHECKS, Check
from lab2live.eda.checks.findings import ALL_SOURCES, Finding, Skip
from lab2live.eda.checks.survey import Survey
from lab2live.errors import UserError
from lab2live.pipeline import hooks
from lab2live.reporting.formatting import amount

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["Finding", "check"]

# The requirements that have a gate which own findings can move; without one a check looks for anomalies.
REQUIREMENTS = tuple(sorted({known.requirement for known in CHECKS.values()}))
ANOMALIES = "L4b"
# Where `check` leaves what it was told, on the function itself: there is no list that an import would fill.
MARK = "_lab2live_check"


@dataclass(frozen=True)
class Declared:
    """What `check` says of a function."""

    id: str
    requirement: str | None
    needs: tuple[str, ...]
    applies_to: tuple[str, ...] | None
    min_rows: int


@dataclass(frozen=True)
class CheckedSource:
    """What an own check is given: a source that could be read.

    Attributes
    ----------
    name
        As in the charter.
    table
        All rows, as an ibis table in the engine that holds them.
    sample
        Some of them, or all of a small table, as a frame of one's own.
    """

    name: str
    table: ir.Table
    sample: pd.DataFrame


Function = Callable[[CheckedSource], Finding | list[Finding] | None]


def check(
    id: str,
    requirement: str | None = None,
    needs: Iterable[str] = (),
    applies_to: Iterable[str] | None = None,
    min_rows: int = 0,
) -> Callable[[Function], Function]:
    """Mark a function of the project's checks.py as a check of the data.

    The function takes a source (see `CheckedSource`) and gives `None`, a `Finding` or a list of them.

    Parameters
    ----------
    id
        Starts with `own.`.
    requirement
        `L3` or `L4a` to `L4d`: its gate takes what is found; without one that is `L4b`, anomalies.
    needs
        Columns that have to be there.
    applies_to
        Names of the sources that it looks at; `None` for all of them.
    min_rows
        A smaller source is not looked at.
    """
    declared = Declared(id, requirement, _names(needs), None if applies_to is None else _names(applies_to), min_rows)

    def mark(function: Function) -> Function:
        setattr(function, MARK, declared)
        return function

    return mark


def _names(names: Any) -> tuple[Any, ...]:
    # what is no name is told when the check is to run: the others of the module stand
    return tuple(names) if isinstance(names, Iterable) and not isinstance(names, str) else (names,)


@dataclass
class OwnChecks:
    """What the project's own checks found, what they are, and which of them could not be used."""

    found: list[Finding | Skip] = field(default_factory=list)
    known: dict[str, Check] = field(default_factory=dict)
    problems: list[UserError] = field(default_factory=list)


def run(charter: Charter, surveys: Sequence[Survey], unread: Iterable[str] = ()) -> OwnChecks:
    """Run the project's own checks on every source that they apply to.

    Parameters
    ----------
    charter
        Names the project's package.
    surveys
        The sources that could be read.
    unread
        The names of the others.

    Returns
    -------
    OwnChecks
        A check that could not look, or failed, is a skip with the reason; a mistake in one is a problem, too.
    """
    done = OwnChecks()
    try:
        module = hooks.module(charter, "checks")
    except UserError as error:
        done.problems.append(error)
        return done
    if module is None:
        return done
    for function in _marked(module):
        declared = getattr(function, MARK)
        where = f"{module.__file__}, function `{getattr(function, '__name__', declared.id)}`"
        problem = _mistake(declared, where, done.known)
        if problem is None:
            done.known[declared.id] = Check(declared.requirement or ANOMALIES, declared.id)
            problem = _look(function, declared, where, surveys, unread, done.found)
        if problem is not None:
            done.problems.append(problem)
    return done


def _marked(module: ModuleType) -> Iterator[Function]:
    """Give each marked function once, under whatever names it stands in the module."""
    functions = {
        id(value): value for value in vars(module).values() if isinstance(getattr(value, MARK, None), Declared)
    }
    return iter(functions.values())


def _mistake(declared: Declared, where: str, known: Iterable[str]) -> UserError | None:
    if not isinstance(declared.id, str) or not declared.id.startswith(OWN):
        expected = f"{OWN}{str(declared.id).rpartition('.')[2]}"
        return _problem("The id of an own check starts with `own.`.", where, declared.id, expected)
    names = [name for name in (*declared.needs, *(declared.applies_to or ())) if not isinstance(name, str)]
    if names or not isinstance(declared.min_rows, int):
        problem, found = f"The own check `{declared.id}` is declared wrongly.", [*names, declared.min_rows][0]
        return _problem(problem, where, repr(found), "needs and applies_to: lists of names; min_rows: a whole number")
    if declared.id in known:
        return _problem("Two own checks have one id.", where, declared.id, "an id of its own for each")
    if declared.requirement not in (None, *REQUIREMENTS):
        expected = f"one of {', '.join(REQUIREMENTS)}, or none"
        return _problem(
            f"The own check `{declared.id}` answers a requirement that data cannot.",
            where,
            declared.requirement,
            expected,
        )
    return None


def _look(
    function: Function,
    declared: Declared,
    where: str,
    surveys: Sequence[Survey],
    unread: Iterable[str],
    found: list[Finding | Skip],
) -> UserError | None:
    """Run one check on its sources; give the first mistake in it, if there is one."""
    wanted = declared.applies_to
    missing = [name for name in unread if wanted is None or name in wanted]
    found += [Skip(declared.id, name, f"{name} could not be read.") for name in missing]
    concerned = [one for one in surveys if wanted is None or one.name in wanted]
    if not concerned and not missing:
        reason = f"None of the sources it applies to is there: {', '.join(wanted or ())}."
        found.append(Skip(declared.id, ALL_SOURCES, reason))
    first = None
    for survey in concerned:
        if unmet := _unmet(declared, survey):
            found.append(Skip(declared.id, survey.name, unmet))
            continue
        try:
            given = function(CheckedSource(survey.name, survey.table, survey.sample.copy()))
            several = _as_findings(given)
        except (Exception, SystemExit) as error:  # the user's code: whatever it raises is theirs to read
            said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            found.append(Skip(declared.id, survey.name, f"{where} failed: {said}"))
            first = first or _problem(
                f"The own check `{declared.id}` failed on {survey.name}.",
                where,
                said,
                "a function of one source that gives None, a Finding or a list of them",
            )
        else:
            found += [
                replace(one, check=declared.id, source=survey.name, witness="own", threshold=None, accepted=None)
                for one in several
            ]
    return first


def _unmet(declared: Declared, survey: Survey) -> str | None:
    lacking = [name for name in declared.needs if name not in survey.table.columns]
    if lacking:
        return f"{survey.name} has no column {', '.join(lacking)}, which the check needs."
    if survey.rows < declared.min_rows:
        return f"{survey.name} has {amount(survey.rows, 'row')}, and the check needs {declared.min_rows:,}."
    return None


def _as_findings(given: Any) -> list[Finding]:
    several = [] if given is None else list(given) if isinstance(given, list | tuple) else [given]
    for one in several:
        if not isinstance(one, Finding):
            raise TypeError(f"it gave {type(one).__name__}, which is neither None nor a Finding")
    return several


def _problem(problem: str, where: str, found: object, expected: str) -> UserError:
    return UserError(problem, where=where, found=found, expected=expected, fix="correct it, then: pytest tests")
