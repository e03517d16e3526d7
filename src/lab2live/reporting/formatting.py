"""Values, gates, decisions and durations as people read them: plain text for pages, notebooks and the terminal."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

SYMBOLS = {"pass": "✔", "warn": "▲", "fail": "✖", "skip": "–"}


@dataclass(frozen=True)
class GateView:
    """A gate as notebook, page, Markdown and terminal show it.

    Attributes
    ----------
    symbol, status
        Always shown together: never a symbol or a colour alone.
    measured
        The value with its unit and the limit, such as `84 % (at least 89 % needed)`. Empty if nothing was measured, or
        if the message says it better, as with findings.
    """

    symbol: str
    status: str
    id: str
    stage: str
    requirement: str
    title: str
    question: str
    must_pass: bool
    measured: str
    message: str


def gate_view(gate: Any) -> GateView:
    """View a gate, be it a `GateResult` or a mapping read from `verdict.json`.

    Examples
    --------
    >>> gate_view({"status": "warn", "value": 0.84, "threshold": 0.89, "better": "higher", "unit": "share"}).measured
    '84 % (at least 89 % needed)'
    """
    get = gate.get if isinstance(gate, Mapping) else lambda name: getattr(gate, name, None)
    return GateView(
        **{name: get(name) or "" for name in ("status", "id", "stage", "requirement", "question", "message")},
        symbol=SYMBOLS.get(get("status") or "", "?"),
        title=get("title") or get("id") or "",
        must_pass=bool(get("must_pass")),
        measured=_measured(get("value"), get("threshold"), get("unit") or "", get("better")),
    )


def _measured(value: Any, limit: Any, unit: str, better: str | None) -> str:
    if is_missing(value) or unit == "severity":
        return ""
    scale, sign = (100, " %") if unit in ("share", "probability") else (1, "")

    def write(part: Any, digits: int) -> str:
        return number(float(part) * scale if isinstance(part, Real) else part, digits)

    # Rounding must not put the value on the other side of its limit, or make it whole: 89 % is no failure of 89 %.
    edges: list[Any] = [edge for edge in (limit, 1 if sign else None) if isinstance(edge, Real)]
    for digits in range(2 if sign else 3, 18):
        text = write(value, digits)
        if not isinstance(value, Real) or math.isinf(value):
            break
        rounded = float(text.replace(",", "").replace("−", "-"))
        # 100 times 0.954 is a little less than 95.4
        shown = [(edge, round(edge * scale, 9)) for edge in edges]
        if all((rounded > there, rounded < there) == (value > edge, value < edge) for edge, there in shown):
            break
    if unit == "p-value":
        text = f"p = {text}"
    elif not sign and unit:
        text += f" {unit[:-1] if value == 1 and re.fullmatch('[a-z]{3,}s', unit) else unit}"  # 1 row
    if is_missing(limit):
        return text + sign
    needed = ("at least {} needed" if better == "higher" else "at most {} allowed").format(write(limit, 6) + sign)
    return f"{text}{sign} ({needed})"


@dataclass(frozen=True)
class DecisionView:
    """A decision as every page and the terminal show it: symbol and word, and what they mean.

    `look` is `go`, `conditional`, `no-go` or `broken`.
    """

    symbol: str
    word: str
    sentence: str
    look: str


_DECISIONS = {
    "go": ("✔", "Every gate that must pass has passed, and nothing else raised a warning."),
    "conditional": ("▲", "No blocking issues, but these points need an answer before it goes live."),
    "no-go": ("✖", "Do not put this into production. What was learnt is kept below."),
}


def is_broken(verdict: Mapping[str, Any]) -> bool:
    """Whether an error stopped the run before everything was judged."""
    return any(stage["status"] == "failed" for stage in verdict["run"]["stages"])


def decision_view(verdict: Mapping[str, Any]) -> DecisionView:
    """View the decision in the content of `verdict.json`; an error that stopped the run comes before it."""
    decision = verdict["decision"]
    if is_broken(verdict):
        so_far = f"Not everything was judged. Of what was, the decision would be: {decision}."
        return DecisionView("✖", "Stopped by an error", so_far, "broken")
    symbol, sentence = _DECISIONS[decision]
    return DecisionView(symbol, decision.capitalize(), sentence, decision)


def plain(value: object, digits: int = 3) -> str:
    """One value as people read it.

    Parameters
    ----------
    value
        Anything; not escaped.
    digits
        Significant digits of a number with a fraction; whole thousands are never cut.

    Returns
    -------
    str
        `1,234`, `0.123`, `yes`, or `–` for what is missing.

    Examples
    --------
    >>> plain(1234), plain(-0.12345), plain(98765.4), plain(True), plain(None)
    ('1,234', '−0.123', '98,765', 'yes', '–')
    """
    text = _text(value, digits)
    return text if isinstance(value, str) else minus(text)


def _text(value: object, digits: int) -> str:
    if is_missing(value):
        return "–"
    if _is_bool(value):
        return "yes" if value else "no"
    if isinstance(value, Integral):
        return f"{int(value):,}"
    return _real(float(value), digits) if isinstance(value, (Real, Decimal)) else str(value)


def short(value: object, digits: int = 3) -> str:
    """As `plain`, without trailing zeros, and with a hyphen that programs take for a minus: answers in files are so.

    Examples
    --------
    >>> short(0.05), short(200.0), short(-1234.5)
    ('0.05', '200', '-1,234')
    """
    text = _text(value, digits)
    fraction = isinstance(value, (Real, Decimal)) and "." in text and "e" not in text
    return text.rstrip("0").rstrip(".") if fraction else text


def number(value: object, digits: int = 3) -> str:
    """As `short`, for a number in a sentence or at a bar, where people read it and no column must line up.

    Examples
    --------
    >>> number(0.05), number(-200.0)
    ('0.05', '−200')
    """
    text = short(value, digits)
    return text if isinstance(value, str) else minus(text)


def minus(text: str) -> str:
    """A number that a format has written, with a minus sign instead of a hyphen; an exponent keeps its own.

    Examples
    --------
    >>> minus(f"{-0.5:+.3f}"), minus(f"{0.5:+.3f}"), minus(f"{-1e-9:g}")
    ('−0.500', '+0.500', '−1e-09')
    """
    return f"−{text[1:]}" if text.startswith("-") else text


def score_text(*ends: Any, sign: str = "", decimals: int = 3) -> str:
    """A score, or one with the ends of its interval: with the same digits everywhere, unless it is beyond all reason.

    Examples
    --------
    >>> score_text(0.5), score_text(0.5, 0.4, -0.6, sign="+"), score_text(-1277143796946.12), score_text(-1.277e27)
    ('0.500', '+0.500 (+0.400 to −0.600)', '−1,277,143,796,946', '−1.28e+27')
    """
    kinds = [f".{decimals}f" if abs(end) < 1000 else ",.0f" if abs(end) < 1e15 else ".3g" for end in ends]
    first, *others = (minus(f"{end:{sign}{kind}}") for end, kind in zip(ends, kinds, strict=True))
    return f"{first} ({' to '.join(others)})" if others else first


def chance(probability: float, decimals: int = 0) -> str:
    """The probability of a single case, in percent: what is nearly sure is never rounded to sure.

    Examples
    --------
    >>> chance(0.923), chance(0.997), chance(0.003), chance(1), chance(0.9996, 1)
    ('92 %', 'more than 99 %', 'less than 1 %', '100 %', 'more than 99.9 %')
    """
    text = f"{100 * probability:.{decimals}f}"
    if probability < 1 and float(text) >= 100:
        return f"more than {100 - 10**-decimals:.{decimals}f} %"
    if probability > 0 and float(text) <= 0:
        return f"less than {10**-decimals:.{decimals}f} %"
    return f"{text} %"


def agree(number: float, one: str, several: str) -> str:
    """The form of a word that agrees with a number.

    Examples
    --------
    >>> agree(1, "lies", "lie"), agree(0, "lies", "lie")
    ('lies', 'lie')
    """
    return one if number == 1 else several


def amount(number: int, one: str, several: str | None = None) -> str:
    """How many there are of something; the plural takes an s unless it is given.

    Examples
    --------
    >>> amount(1, "key"), amount(1200, "row"), amount(2, "entry", "entries")
    ('1 key', '1,200 rows', '2 entries')
    """
    return f"{number:,} {agree(number, one, several or one + 's')}"


def status(word: str) -> str:
    """A gate's status as symbol and word, such as `✔ pass`."""
    return f"{SYMBOLS.get(word, '?')} {word}"


def duration(seconds: float) -> str:
    """Seconds in words: `0.4 s`, `12 s`, `3 min 5 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def is_numeric(values: Sequence[object]) -> bool:
    """Whether a column holds numbers, missing ones aside."""
    present = [value for value in values if not is_missing(value)]
    return bool(present) and all(isinstance(value, (Real, Decimal)) and not _is_bool(value) for value in present)


def _is_bool(value: object) -> bool:
    return isinstance(value, bool) or type(value).__name__ in ("bool_", "bool")


def is_missing(value: object) -> bool:
    """Whether a value is None, NaN, or one of pandas' own."""
    # By name, so that this module needs no pandas (the command line imports it too).
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, Decimal):
        return value.is_nan()
    return isinstance(value, Real) and math.isnan(value)


def _real(value: float, digits: int) -> str:
    rounded = float(f"{value:.{digits}g}")
    if rounded == 0:
        return "0"
    magnitude = math.log10(abs(rounded))  # infinite where rounding the largest numbers overflows
    if not -5 <= magnitude < 15:
        return f"{value:.{digits}g}".replace("inf", "∞")
    return f"{value:,.{max(digits - 1 - math.floor(magnitude), 0)}f}"
