"""How the values of a column are read: found once from all of them, written down, and applied to every later file."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, cast

from lab2live.data.sources.engine import AT_ONCE

Type = Literal["integer", "number", "boolean", "date", "moment", "text"]
# What a text means when it says "nothing here", as pandas knows it; in a column of words only a declared one does.
NULLS = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "None", "<NA>")
# Whole numbers beyond this are the same as their neighbours once they are floating point: they name something.
EXACT = 2**53
# How often values that did not fit are looked at, before a column is taken for words.
ROUNDS = 5
INTEGER = r"[+-]?(0|[1-9][0-9]*)"
POWER = r"([eE][+-]?[0-9]+)?"
BLANKS = " \u00a0\u202f'"
# Decimal mark and what stands between thousands.
MARKS = ((".", ""), (",", ""), (".", ","), (",", "."), (".", BLANKS), (",", BLANKS))
TIME = "[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?"
CLOCK = f"(?P<clock>[ T]{TIME}( ?[AaPp][Mm])?)?"
ISO = f"[0-9]{{4}}-[0-9]{{1,2}}-[0-9]{{1,2}}(?P<clock>[ T]{TIME}(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)?)?"
# How days are written besides ISO 8601 -> as strptime has it; the first of two that both fit all rows is not taken.
DAYS = {
    r"[0-9]{4}-[0-9]{2}": ("%Y-%m",),
    r"[0-9]{4}/[0-9]{1,2}/[0-9]{1,2}": ("%Y/%m/%d",),
    r"[0-9]{1,2}[.][0-9]{1,2}[.][0-9]{4}": ("%d.%m.%Y",),
    r"[0-9]{2}[.][0-9]{2}[.][0-9]{2}": ("%d.%m.%y",),
    r"[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}": ("%d/%m/%Y", "%m/%d/%Y"),
    r"[0-9]{1,2}/[0-9]{1,2}/[0-9]{2}": ("%d/%m/%y", "%m/%d/%y"),
    r"[0-9]{1,2}-[0-9]{1,2}-[0-9]{4}": ("%d-%m-%Y", "%m-%d-%Y"),
    r"[0-9]{1,2}-[A-Za-z]{3}-[0-9]{4}": ("%d-%b-%Y",),
    r"[0-9]{1,2}-[A-Za-z]{3}-[0-9]{2}": ("%d-%b-%y",),
    r"[0-9]{1,2} [A-Za-z]{3} [0-9]{4}": ("%d %b %Y",),
}
CLOCKS = ("", *(f"{sep}{clock}" for sep in (" ", "T") for clock in ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f")))
CLOCKS += (" %I:%M %p", " %I:%M:%S %p")
STORED = {"integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN", "date": "DATE", "moment": "TIMESTAMP"}


@dataclass(frozen=True)
class ColumnReading:
    """How the values of one column are read.

    Attributes
    ----------
    type
        What they are. Moments are in UTC.
    format
        Of days that are no ISO 8601, as strptime has it; a time of day may follow.
    decimal, thousands
        The mark before decimals, and the characters that may stand between thousands.
    nulls
        Texts that mean a missing value.
    note
        What could also have been meant; empty where there was no choice.
    """

    type: Type
    format: str = ""
    decimal: str = "."
    thousands: str = ""
    nulls: tuple[str, ...] = ("",)
    note: str = ""

    @property
    def words(self) -> str:
        """Say it for people."""
        marks = f", decimals after `{self.decimal}`" if self.decimal != "." else ""
        marks += f", thousands apart by `{self.thousands[0]}`" if self.thousands else ""
        return self.type + (f", written {self.format}" if self.format else "") + marks


@dataclass(frozen=True)
class Readings:
    """How the data were read that a model learnt from: each column of the joined table, and of each source."""

    columns: Mapping[str, ColumnReading]
    sources: Mapping[str, Mapping[str, ColumnReading]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Write it as JSON can hold it."""
        sources = {source: _kept(columns) for source, columns in self.sources.items()}
        return {"columns": _kept(self.columns), "sources": sources}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Readings:
        """Read what `as_dict` wrote."""
        tables = {"": kept["columns"], **kept["sources"]}
        read = {
            source: {name: ColumnReading(**{**how, "nulls": tuple(how["nulls"])}) for name, how in columns.items()}
            for source, columns in tables.items()
        }
        return cls(read.pop(""), read)


def _kept(columns: Mapping[str, ColumnReading]) -> dict[str, Any]:
    return {name: {**asdict(how), "nulls": list(how.nulls)} for name, how in columns.items()}


def literal(value: Any) -> str:
    """Write a value as SQL has it."""
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return f"[{', '.join(map(literal, value))}]" if isinstance(value, list | tuple) else str(value)


def quoted(name: str) -> str:
    """Write a column's name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def parsed(text: str, how: ColumnReading) -> str:
    """Give the SQL (DuckDB) that reads a text; NULL where it cannot be read so, or means nothing."""
    if how.type == "text":
        return f"CASE WHEN {_filled(text, how)} THEN {text} END"
    trimmed = f"trim({text})"
    number = (
        f"replace({trimmed}, '_', '?')"  # the engine reads 1_000 as a number; data that hold it mean something else
    )
    if how.thousands:
        number = f"translate({number}, {literal(how.thousands)}, '')"
    if how.decimal != ".":
        number = f"replace({number}, {literal(how.decimal)}, '.')"
    if how.type == "integer":
        read = f"CASE WHEN regexp_full_match({number}, '{INTEGER}') THEN TRY_CAST({number} AS BIGINT) END"
    elif how.type == "number":
        read = f"TRY_CAST({number} AS DOUBLE)"
    elif how.type == "boolean":
        yes, no = (f"WHEN lower({trimmed}) IN {words} THEN" for words in (("true", "1"), ("false", "0")))
        read = f"CASE {yes} true {no} false END"
    elif how.format:
        read = f"try_strptime({trimmed}, {literal([how.format + clock for clock in CLOCKS])})::{STORED[how.type]}"
    else:  # what the engine does not read itself are offsets behind a time without seconds
        short = literal(["%Y-%m-%dT%H:%M%z", "%Y-%m-%d %H:%M%z"])
        read = f"coalesce(TRY_CAST({trimmed} AS TIMESTAMPTZ), try_strptime({trimmed}, {short}))"
        read = f"({read} AT TIME ZONE 'UTC')::{STORED[how.type]}"
    return f"CASE WHEN {_filled(trimmed, how)} THEN {read} END"


def unfit(text: str, how: ColumnReading) -> str:
    """Give the SQL that says whether a text means something and cannot be read."""
    return f"{_filled(f'trim({text})', how)} AND {parsed(text, how)} IS NULL"


def _filled(text: str, how: ColumnReading) -> str:
    # the engine takes seconds to plan a hundred of NOT IN
    return f"NOT list_contains({literal(how.nulls)}, {text})"


def found(
    ask: Callable[[str], Sequence[Any]],
    head: Mapping[str, Collection[str]],
    kinds: Callable[[Collection[str], str], list[ColumnReading]],
    mark: str = "",
    usual: str = ".",
    nulls: Sequence[str] = (),
) -> dict[str, ColumnReading]:
    """Find how columns of texts are read, so that every value of all rows can be.

    Parameters
    ----------
    ask
        Gives the one row that answers a list of SQL aggregates over the columns.
    head
        Column -> some of its texts.
    kinds
        `anything`, or `days_only` where the texts are known to be no numbers.
    mark
        The decimal mark that a person declared; empty for none.
    usual
        The one of files like this, where no column tells.
    nulls
        Texts that a person declared to mean a missing value.
    """
    every = tuple(dict.fromkeys((*NULLS, *nulls)))
    seen = {name: {text.strip() for text in texts} - {*every} for name, texts in head.items()}
    # where the first rows are empty, others tell
    never = ColumnReading("date", format="nothing is written so", nulls=every)
    nothing = [(name, never) for name, texts in seen.items() if not texts]
    for (name, _), texts in strange(ask, nothing).items():
        seen[name] |= texts
    settled: dict[str, ColumnReading] = {}
    for _ in range(ROUNDS):
        likely = mark or _mark(seen.values()) or usual
        forms = {
            name: [replace(form, nulls=every) for form in kinds(texts, likely)]
            for name, texts in seen.items()
            if name not in settled
        }
        asked = [(name, form) for name, some in forms.items() for form in some]
        odd = strange(ask, asked)
        for name, some in forms.items():
            fitting = [form for form in some if not odd[name, form]]
            if len(fitting) == 1:
                settled[name] = fitting[0]
            elif fitting:
                ways = " or ".join(form.format for form in fitting)
                settled[name] = ColumnReading("text", note=f"its days are written {ways}: nobody can tell")
            elif not some:
                settled[name] = ColumnReading("text")
            seen[name] |= {text for form in some for text in odd[name, form]}
        if len(settled) == len(seen):
            break
    meant = tuple(dict.fromkeys(("", *nulls)))
    for name, texts in seen.items():
        form = settled.get(name, ColumnReading("text"))
        # in a column of words NA is a word, unless nothing else stands there
        settled[name] = replace(form, nulls=meant) if form.type == "text" and texts else replace(form, nulls=every)
    return {name: settled[name] for name in seen}


def strange(
    ask: Callable[[str], Sequence[Any]], asked: Sequence[tuple[str, ColumnReading]]
) -> dict[tuple[str, ColumnReading], set[str]]:
    """Give for every column and form texts that cannot be read so."""
    answers: dict[tuple[str, ColumnReading], set[str]] = {}
    for start in range(0, len(asked), AT_ONCE):
        some = asked[start : start + AT_ONCE]
        questions = []
        for name, form in some:
            text, read = f"trim({quoted(name)})", parsed(quoted(name), form)
            wrong = unfit(quoted(name), form)
            if form.type == "integer":
                wrong += f" OR abs({read}) > {EXACT}"
            questions += [f"min({text}) FILTER ({wrong})", f"max({text}) FILTER ({wrong})"]
        values = ask(", ".join(questions))
        answers |= {
            one: {text for text in values[2 * at : 2 * at + 2] if text is not None} for at, one in enumerate(some)
        }
    return answers


def _mark(columns: Collection[Collection[str]]) -> str:
    """Tell the decimal mark from columns in which it cannot be anything else; empty where none tells, or two differ."""
    told = {forms[0][0] for texts in columns if len(forms := _marks(texts)) == 1}
    return told.pop() if len(told) == 1 else ""


def _marks(texts: Collection[str]) -> list[tuple[str, str]]:
    """Give the marks with which all of some texts are numbers; none for whole numbers, and for what is none."""
    if not texts or all(re.fullmatch(INTEGER, text) for text in texts):
        return []
    return [marks for marks in MARKS if _all_numbers(texts, *marks)]


def _all_numbers(texts: Collection[str], decimal: str, thousands: str) -> bool:
    point, digits = re.escape(decimal), "[0-9]+"
    if thousands:
        grouped = f"[0-9]{{1,3}}([{re.escape(thousands)}][0-9]{{3}})+"
        if not any(re.match(f"[+-]?{grouped}", text) for text in texts):
            return False
        digits = f"({grouped}|[0-9]+)"
    pattern = re.compile(f"[+-]?({digits}({point}[0-9]*)?|{point}[0-9]+){POWER}|[+-]?inf(inity)?", re.IGNORECASE)
    return all(pattern.fullmatch(text) for text in texts)


def anything(texts: Collection[str], mark: str) -> list[ColumnReading]:
    """Give the forms that all of some texts have, the likeliest first; none for words."""
    if not texts:
        return []
    if all(re.fullmatch(INTEGER, text) for text in texts):
        return [] if any(abs(int(text)) > EXACT for text in texts) else [ColumnReading("integer")]
    if any(re.fullmatch(r"[+-]?0[0-9]+", text) for text in texts):  # 007 names something
        return []
    marks = _marks(texts)
    if not marks:
        return days_only(texts, mark)
    decimal, thousands = next((one for one in marks if one[0] == mark), marks[0])
    whole = not any(decimal in text or "e" in text.lower() or "inf" in text.lower() for text in texts)
    # with points in a file of points nobody means thousands
    other = next((text for text in sorted(texts) if re.search(r"[.,][0-9]{3}$", text)), "") if len(marks) > 1 else ""
    note = f"`{other}` may have thousands or decimals" if other and (decimal, thousands) != (".", "") else ""
    return [ColumnReading("integer" if whole else "number", decimal=decimal, thousands=thousands, note=note)]


def days_only(texts: Collection[str], mark: str = "") -> list[ColumnReading]:
    """Give the ways to write days that all of some texts have; none for words."""
    if not texts:
        return []
    for pattern, formats in {ISO: ("",), **{days + CLOCK: formats for days, formats in DAYS.items()}}.items():
        matches = [re.fullmatch(pattern, text) for text in texts]
        if all(matches):
            timed = any(match["clock"] for match in matches if match)
            return [ColumnReading("moment" if timed else "date", format=one) for one in formats]
    return []


def declared(how: str, known: ColumnReading) -> ColumnReading:
    """Give what a person has declared of a column: its type, or how its days are written."""
    if "%" not in how:
        return replace(known, type=cast(Type, how), note="")
    return replace(known, type="moment" if "%H" in how or "%I" in how else "date", format=how, note="")
