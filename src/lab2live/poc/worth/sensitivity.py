"""Which assumption kills it (B2)? The return with each assumption of the charter varied by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter, PerCase
from lab2live.poc.comparison.answers import Answers
from lab2live.poc.worth.alternatives import best_alternative, gain_over, split_parts, values
from lab2live.poc.worth.returns import Returns
from lab2live.poc.worth.value import missing_volumes, no_money
from lab2live.reporting import plots
from lab2live.reporting.formatting import number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEP = 0.3

# The factors tried on the way to where the return turns zero, away from what is assumed.
DOWNWARDS, UPWARDS = np.linspace(1, 0, 11), np.geomspace(1, 10, 13)

# A larger cost matrix is varied as a whole.
MOST_ENTRIES = 12

VOLUMES = ("cases_per_month", "capacity_per_month")
COSTS = ("build_cost", "run_cost_per_month", "horizon_months")
SCORE = "score"


@dataclass(frozen=True)
class Lever:
    """One assumption, and what becomes of the return if it is wrong.

    Attributes
    ----------
    name, label
        The field of the charter; how it is called. `score` is how well the model does.
    assumed
        What the charter says; `None` for the score.
    at_low, at_high
        The return if it is 30 % less or more; for the score, at the ends of its 90 % interval.
    break_even
        The value at which the return turns zero; `None` if it never does between nothing and ten times as much.
    swing
        How far apart the best and the worst of the three returns are.
    """

    name: str
    label: str
    assumed: float | None
    at_low: float
    at_high: float
    break_even: float | None
    swing: float


@dataclass(frozen=True)
class Sensitivity:
    """How the return depends on each assumption.

    Attributes
    ----------
    measure
        What is looked at: money left over the horizon, else the gain per month, else per case.
    base
        If everything is as assumed, on the test part.
    levers
        The one with the largest swing first.
    lacking
        Why there is nothing to vary; empty if there is.
    """

    currency: str
    measure: str = ""
    base: float = 0.0
    levers: tuple[Lever, ...] = ()
    lacking: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Give what belongs into the results."""
        return asdict(self)

    def figure(self) -> Figure:
        """Draw what is left if one assumption at a time is wrong."""
        return plots.tornado(
            [_row(lever) for lever in self.levers],
            [lever.at_low for lever in self.levers],
            [lever.at_high for lever in self.levers],
            _three(self.base),
            headline(self),
            f"{self.currency} {self.measure}",
        )


def sensitivity(charter: Charter, answers: Answers, chosen: str, found: Returns) -> Sensitivity:
    """Vary each assumption by itself.

    Parameters
    ----------
    charter, answers, chosen
        As for `returns.returns`.
    found
        What that gave: how sure the score is.

    Returns
    -------
    Sensitivity
        Where money or volumes differ, policies are learnt again and the best alternative is chosen again, both on the
        training part; what they are worth is measured on the test part.
    """
    value, problem = charter.business.value, answers.problem
    if no_money(charter, problem) or found.gain_per_case is None:
        return Sensitivity(value.currency, lacking="There is nothing to vary: what the model earns is not known.")
    learn, judge = split_parts(answers, chosen)

    def gain_of(varied: Charter) -> float:
        worths = values(varied, problem, learn, judge)
        return float(gain_over(worths, best_alternative(varied, problem, learn))[0])

    gain = gain_of(charter)
    base, levers = _left(charter, gain), []
    for name, assumed in _assumptions(charter, answers):
        decides = name not in COSTS and not (name == VOLUMES[0] and value.capacity_per_month is None)

        def outcome(factor: float, name: str = name, decides: bool = decides) -> float:
            varied = _scaled(charter, name, factor)
            return _left(varied, gain_of(varied) if decides else gain)

        less, more, turn = outcome(1 - STEP), outcome(1 + STEP), _turn(outcome, base > 0)
        zero = None if turn is None else turn * assumed
        levers.append(Lever(name, name.replace("_", " "), assumed, less, more, zero, np.ptp([less, base, more]).item()))
    low, high = found.gain_per_case.low, found.gain_per_case.high
    assert low is not None and high is not None
    low, high = _left(charter, low), _left(charter, high)
    levers.append(Lever(SCORE, "how well the model does", None, low, high, None, np.ptp([low, base, high]).item()))
    levers.sort(key=lambda lever: -lever.swing)
    return Sensitivity(value.currency, _measure(charter), base, tuple(levers))


def _measure(charter: Charter) -> str:
    value = charter.business.value
    if value.cases_per_month is None:
        return "gained per case"
    if missing_volumes(value):
        return "gained per month"
    return f"left after {number(value.horizon_months)} months"


def _left(charter: Charter, gain: float) -> float:
    """Give the return in money, as far as the charter allows."""
    value = charter.business.value
    if value.cases_per_month is None:
        return gain
    if missing_volumes(value):
        return gain * value.cases_per_month
    run, build, horizon = value.run_cost_per_month or 0.0, value.build_cost or 0.0, value.horizon_months or 0.0
    return (gain * value.cases_per_month - run) * horizon - build


def _assumptions(charter: Charter, answers: Answers) -> Iterator[tuple[str, float]]:
    """Name every assumption that matters for the measure and is not zero, with its value."""
    value, names = charter.business.value, []
    if answers.problem == "binary" and value.per_case is not None:
        yield from ((name, money) for name, money in value.per_case.model_dump().items() if money)
    elif answers.problem == "multiclass":
        rows = enumerate(value.cost_matrix or [])
        entries = [(f"cost_matrix[{i}][{j}]", cost) for i, row in rows for j, cost in enumerate(row) if cost]
        yield from entries if len(entries) <= MOST_ENTRIES else [("cost_matrix", 1.0)]
    else:
        names += ["cost_per_unit_under", "cost_per_unit_over"]
    if value.cases_per_month is not None:
        names += VOLUMES if answers.problem == "binary" else VOLUMES[:1]
        names += [] if missing_volumes(value) else COSTS
    yield from ((name, getattr(value, name)) for name in names if getattr(value, name))


def _scaled(charter: Charter, name: str, factor: float) -> Charter:
    """Give the charter with one assumption multiplied."""
    value = charter.business.value
    field, _, place = name.partition("[")
    if name in PerCase.model_fields and value.per_case is not None:
        change: dict[str, Any] = {
            "per_case": value.per_case.model_copy(update={name: getattr(value.per_case, name) * factor})
        }
    elif field == "cost_matrix":
        change = {
            field: [
                [cost * (factor if place in ("", f"{i}][{j}]") else 1.0) for j, cost in enumerate(row)]
                for i, row in enumerate(value.cost_matrix or [])
            ]
        }
    else:
        # Nothing at all of it would divide by zero: next to nothing says the same.
        change = {name: getattr(value, name) * (factor if name in COSTS else max(factor, 1e-9))}
    business = charter.business.model_copy(update={"value": value.model_copy(update=change)})
    return charter.model_copy(update={"business": business})


def _turn(outcome: Callable[[float], float], positive: bool) -> float | None:
    """Find the factor nearest to 1 at which the return changes its sign."""
    turns = []
    for factors in (DOWNWARDS, UPWARDS):
        inner = 1.0
        for outer in factors[1:]:
            if (outcome(float(outer)) > 0) != positive:
                turns.append(_halve(outcome, inner, float(outer), positive))
                break
            inner = float(outer)
    return min(turns, key=lambda factor: max(factor, 1 / max(factor, 1e-9)), default=None)


def _halve(outcome: Callable[[float], float], inner: float, outer: float, positive: bool) -> float:
    for _ in range(14):
        middle = (inner + outer) / 2
        if (outcome(middle) > 0) == positive:
            inner = middle
        else:
            outer = middle
    return (inner + outer) / 2


def _amount(found: Sensitivity, lever: Lever, value: float) -> str:
    money = lever.name not in (*VOLUMES, "horizon_months", "cost_matrix")
    return f"{number(value)} {found.currency}" if money else number(value)


def _row(lever: Lever) -> str:
    return lever.label if lever.assumed is None else f"{lever.label} {number(lever.assumed)}"


def headline(found: Sensitivity) -> str:
    """Say in a title what the return hangs on."""
    if not found.levers:
        return "There is nothing to vary"
    first = found.levers[0]
    if first.name == SCORE:
        return "Nothing matters more than how well the model does"
    return f"Nothing matters more than '{first.label}'"


def tornado_table(found: Sensitivity) -> pd.DataFrame:
    """Show what is left if one assumption at a time is wrong, and where each turns the return to zero."""
    return pd.DataFrame(
        [
            {
                "assumption": lever.label,
                "assumed": lever.assumed,
                "30 % less": _three(lever.at_low),
                "30 % more": _three(lever.at_high),
                "zero at": _zero(lever),
            }
            for lever in found.levers
        ]
    )


def _zero(lever: Lever) -> str:
    if lever.assumed is None:
        return ""
    return "never" if lever.break_even is None else number(lever.break_even)


def _three(value: float) -> float:
    return float(f"{value:.3g}")


def kill_sentence(found: Sensitivity, most: int = 3) -> str:
    """Say which assumptions would turn the return to zero, the ones nearest to what is assumed first."""
    if found.lacking:
        return "Which assumption would kill it cannot be said: what the model earns is not known."
    turning = [
        (lever.break_even / lever.assumed, lever)
        for lever in found.levers
        if lever.break_even is not None and lever.assumed
    ]
    if not turning:
        return "No assumption by itself turns the return to zero, between nothing and ten times what is assumed."
    turning.sort(key=lambda pair: max(pair[0], 1 / max(pair[0], 1e-9)))
    said = [
        f"'{lever.label}' at {_amount(found, lever, lever.break_even or 0.0)} ({number(lever.assumed)} assumed)"
        for _, lever in turning[:most]
    ]
    return f"The return turns zero with {', or '.join(said)}; each by itself, everything else as assumed."
