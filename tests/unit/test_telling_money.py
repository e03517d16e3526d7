"""Money in words: rounded to what the interval supports, and never surer than the numbers."""

from __future__ import annotations

import dataclasses

import pytest

from lab2live.poc.worth import telling_money
from lab2live.poc.worth.returns import Curve, Option, Range, Returns
from lab2live.poc.worth.value import Policy
from lab2live.reporting import plots

GAIN = Range(4123.0, 11234.0, 18456.0)


def told(gain: Range = GAIN, **more: object) -> Returns:
    """Make a result of which the gain per month is known."""
    worth = Range(50123.0, 61234.0, 72345.0)
    options = (
        Option("model", "Linear model", "acts from a probability of 0.12 on", worth * 0.001, worth),
        Option("none", "Act on nobody", "without looking at the case", Range(0, 0, 0), Range(0, 0, 0)),
    )
    found = Returns("EUR", "binary", options, "none", gain_per_case=gain * 0.001, gain_per_month=gain)
    return dataclasses.replace(found, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("worth", "said"),
    [
        (GAIN, "about 11,000 EUR (4,000 to 18,000)"),
        (Range(-0.234, 0.01, 0.2), "about 0.01 EUR (−0.23 to 0.2)"),
        (Range(5.0, 5.0, 5.0), "about 5 EUR (5 to 5)"),
        (Range(-400.0, -1.0, 900.0), "about 0 EUR (−400 to 900)"),
        (Range(-1.2e6, 3.4e6, 9.9e6), "about 3,000,000 EUR (−1,000,000 to 10,000,000)"),
    ],
)
def test_money_is_rounded_to_what_its_interval_supports(worth: Range, said: str) -> None:
    assert telling_money.about(worth, "EUR") == said


def test_the_table_marks_what_is_compared() -> None:
    table = telling_money.returns_table(told())
    assert table["option"].tolist() == ["Linear model (chosen)", "Act on nobody (compared with)"]
    assert table["EUR per month"].tolist() == ["61,000 (50,000 to 72,000)", "0"]


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        (GAIN, "The model earns about 11,000 EUR a month more than 'Act on nobody'"),
        (Range(-18456.0, -11234.0, -4123.0), "The model earns about 11,000 EUR a month less than 'Act on nobody'"),
        (Range(-1.0, 11234.0, 18456.0), "The model does not clearly earn more than 'Act on nobody'"),
    ],
)
def test_a_headline_claims_a_gain_only_where_the_interval_does(gain: Range, said: str) -> None:
    assert telling_money.headline(told(gain)) == said


def test_the_return_is_told_with_horizon_and_costs() -> None:
    found = told(horizon=24.0, invested=120000.0, net=Range(1e5, 2e5, 3e5), roi=Range(0.8, 1.7, 2.5), positive=0.95)
    said = telling_money.returns_sentence(found)
    assert "about 11,000 EUR a month (4,000 to 18,000) more" in said
    assert "Over 24 months, after 120,000 EUR" in said and "about 170 % (80 to 250)" in said
    assert found.evidence.value == 0.95 and found.evidence.message.endswith(
        "the probability of more than nothing is 95%."
    )


@pytest.mark.parametrize(
    ("months", "said"),
    [
        (Range(1.0, 4.2, 12.4), "after about 4.2 months (1 to 12)"),
        (Range(0.5, 1.0, 2.0), "after about 1 month (0.5 to 2)"),
        (Range(2.0, 5.0, None), "it may be that it never is"),
        (Range(9.0, None, None), "probably never"),
        (Range(None, None, None), "is never paid back"),
        (Range(0.0, 0.0, 0.0), "from the first month on"),
    ],
)
def test_the_month_of_break_even_is_told_with_its_doubt(months: Range, said: str) -> None:
    assert said in telling_money.break_even_sentence(told(break_even=months))


@pytest.mark.parametrize(
    ("capacity", "said"), [(None, "nothing limits"), (0.25, "all that capacity allows"), (0.5, "would allow 50%")]
)
def test_the_curve_is_told_and_drawn_with_its_limit(capacity: float | None, said: str) -> None:
    curve = Curve((0.0, 0.5, 1.0), (0.0, 40.0, 10.0), (), 0.25, 20.0, capacity)
    found = told(curve=curve)
    assert said in telling_money.curve_sentence(found)
    words = plots.alt(found.figure())
    assert "nobody 0, everybody 10; Linear model at most 40; what the model does: 25 %, 20." in words
    assert ("Capacity ends" in words) == (capacity is not None)


def test_the_cost_matrix_is_shown_with_the_names_of_the_classes() -> None:
    table = telling_money.costs_table(Policy("multiclass", costs=((0.0, 5.0), (2.0, 0.0))), ("high", "low"))
    assert table.to_dict("list") == {
        "true class": ["high", "low"], "decided high": [0.0, 2.0], "decided low": [5.0, 0.0]
    }  # fmt: skip
    assert telling_money.costs_table(Policy("binary"), ("no", "yes")).empty
