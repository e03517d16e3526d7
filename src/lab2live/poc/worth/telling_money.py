"""What the model earns, in words and tables for those who pay for it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lab2live.poc.worth.alternatives import ALL, CONSTANT, MODEL, NONE, RULE
from lab2live.poc.worth.value import Policy
from lab2live.reporting.formatting import minus, number

if TYPE_CHECKING:
    from lab2live.poc.worth.returns import Range, Returns


def rounded(value: float, width: float) -> float:
    """Round to what an interval of this width supports: its first digit, or the second if the first is small.

    Examples
    --------
    >>> rounded(11_234.5, 14_000), rounded(0.1234, 0.2), rounded(-3.0, 14_000), rounded(5.5, 0)
    (11000.0, 0.12, 0.0, 5.5)
    """
    if not (width > 0 and math.isfinite(width)):
        return value
    digits = -math.floor(math.log10(width / 5))
    return round(value, digits) + 0.0  # never minus zero


def _number(value: float, width: float) -> str:
    value = rounded(value, width)
    text = f"{value:,.0f}" if abs(value) >= 100 else number(value)
    return minus(text)


def about(found: Range, currency: str, per: str = "") -> str:
    """Say an amount of money with its interval: `about 11,000 EUR a month (4,000 to 18,000)`.

    Parameters
    ----------
    found
        The middle and its 90 % interval.
    currency
        What stands behind the amount.
    per
        Such as `a month`.
    """
    assert found.low is not None and found.middle is not None and found.high is not None
    width = found.high - found.low
    low, middle, high = (_number(end, width) for end in (found.low, found.middle, found.high))
    return f"about {middle} {currency}{' ' + per if per else ''} ({low} to {high})"


def name_of(name: str, policy: Policy) -> str:
    """Give the title of what one could do without the model."""
    if name == ALL and policy.share is not None:
        return f"Act on {policy.share:.0%} by lot"
    number = "number" if policy.problem == "regression" else "class"
    return {
        ALL: "Act on everybody",
        NONE: "Act on nobody",
        RULE: "Today's rule",
        CONSTANT: f"Always the same {number}",
    }[name]


def decides(name: str, policies: Mapping[str, Policy]) -> str:
    """Say how an option decides.

    Parameters
    ----------
    name
        Of the option.
    policies
        Of model and rule.
    """
    model = policies[MODEL]
    if name in (ALL, NONE):
        return "without looking at the case"
    if model.problem == "multiclass":
        return {MODEL: "for the class that costs least by its probabilities", RULE: "as it says"}.get(
            name, "for the class that costs least on average"
        )
    if model.problem == "regression":
        if name == CONSTANT:
            return "for the number that costs least on average"
        shift = policies[name].shift
        return f"its answer {'plus' if shift >= 0 else 'minus'} {number(abs(shift))}"
    policy = policies[name]
    if policy.line == np.inf:
        return "acts on nobody"
    score = "a probability" if name == MODEL else "a score"
    words = "acts on everybody" if policy.line <= 0 else f"acts from {score} of {number(policy.line)} on"
    limit = "" if policy.share is None else f", at most on the highest {policy.share:.0%}"
    return words + limit


def returns_table(found: Returns) -> pd.DataFrame:
    """Show what each option is worth, per case and (with volumes) per month; empty without money in the charter."""
    lines = []
    for option in found.options:
        marks = {MODEL: " (chosen)", found.against: " (compared with)"}
        line: dict[str, object] = {"option": option.title + marks.get(option.name, ""), "decides": option.decides}
        kinds = [("case", option.per_case), ("month", option.per_month), ("case, unshifted", option.plain)]
        for kind, worth in kinds:
            if worth is not None and worth.low is not None and worth.middle is not None and worth.high is not None:
                width = worth.high - worth.low
                middle, low, high = (_number(each, width) for each in (worth.middle, worth.low, worth.high))
                line[f"{found.currency} per {kind}"] = f"{middle} ({low} to {high})" if width else middle
        lines.append(line)
    return pd.DataFrame(lines)


def costs_table(policy: Policy, classes: Sequence[str]) -> pd.DataFrame:
    """Show the charter's cost matrix with the names of the classes, so that nobody mistakes their order."""
    if policy.costs is None:
        return pd.DataFrame()
    costs = pd.DataFrame(policy.costs, columns=[f"decided {name}" for name in classes])
    costs.insert(0, "true class", list(classes))
    return costs


def _gain(found: Returns) -> tuple[Range, str] | None:
    if found.gain_per_month is not None:
        return found.gain_per_month, "a month"
    return None if found.gain_per_case is None else (found.gain_per_case, "a case")


def headline(found: Returns) -> str:
    """Say in a title what the model earns against the best alternative."""
    gain = _gain(found)
    if gain is None:
        return "Without money in the charter there is no value to show"
    (worth, per), other = gain, found.option(found.against).title
    assert worth.low is not None and worth.middle is not None and worth.high is not None
    if worth.low <= 0 <= worth.high:
        return f"The model does not clearly earn more than '{other}'"
    amount = _number(abs(worth.middle), worth.high - worth.low)
    return f"The model earns about {amount} {found.currency} {per} {'more' if worth.low > 0 else 'less'} than '{other}'"


def returns_sentence(found: Returns) -> str:
    """Say what the model earns, against what, and what that makes of the investment: before `break_even_sentence`."""
    gain = _gain(found)
    if gain is None:
        return "What the model earns is not known."  # the page has said why
    worth, per = gain
    parts = [f"Against '{found.option(found.against).title}' the model earns {about(worth, found.currency, per)} more."]
    if found.net is not None and found.horizon is not None and found.invested is not None:
        parts.append(
            f"Over {number(found.horizon)} months, after {found.invested:,.0f} {found.currency} for building and "
            f"running it, that leaves {about(found.net, found.currency)}."
        )
    if found.roi is not None and found.roi.low is not None and found.roi.high is not None:
        percent = found.roi * 100
        parts.append(f"The return on investment is {about(percent, '%')}.")
    return " ".join([*parts, found.lacking]).strip()


def break_even_sentence(found: Returns) -> str:
    """Say when the model has paid for itself."""
    months = found.break_even
    if months is None:
        return "Nor is it known when building it is paid back."
    if months.low is None:
        return "The gain does not pay for running the model: building it is never paid back."
    if months.middle is None:
        return f"Building it is probably never paid back; if all goes well, after {_month(months.low)}."
    if months.high is None:
        return (
            f"Building it is paid back after about {_month(months.middle)}, if all goes well after "
            f"{_month(months.low)}; but it may be that it never is."
        )
    if months.high == 0:
        return "Building it costs nothing, and the gain pays for running it from the first month on."
    return (
        f"Building it is paid back after about {_month(months.middle)} "
        f"({_month(months.low, '')} to {_month(months.high, '')})."
    )


def _month(months: float, unit: str = " months") -> str:
    text = number(months, 2) if months < 10 else f"{months:,.0f}"
    return "1 month" if unit and text == "1" else text + unit


def curve_sentence(found: Returns) -> str:
    """Say where on the profit curve the model ends up; empty where there is none."""
    curve = found.curve
    if curve is None:
        return ""
    text = f"On the test part the model acts on {curve.chosen_share:.0%} of the cases"
    if curve.capacity is None:
        return f"{text}; nothing limits how many can be acted on."
    used = curve.chosen_share / curve.capacity
    if used > 1 - 1e-9:
        return f"{text}: all that capacity allows. With more of it more could be acted on."
    return f"{text}; capacity would allow {curve.capacity:.0%}."


def verdict_sentence(found: Returns) -> str:
    """Say how sure a positive return is, or why nobody can know."""
    if found.positive is None or found.net is None or found.horizon is None:
        return found.lacking
    sure = "above 99%" if found.positive > 0.99 else "below 1%" if found.positive < 0.01 else f"{found.positive:.0%}"
    return (
        f"Over {number(found.horizon)} months and after all costs the model leaves {about(found.net, found.currency)}, "
        f"compared with '{found.option(found.against).title}'; the probability of more than nothing is {sure}."
    )
