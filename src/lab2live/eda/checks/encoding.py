"""Characters that broke on their way."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator

import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.eda.checks.findings import ANY_PART, Finding, Skip, finding
from lab2live.eda.checks.survey import Survey
from lab2live.eda.checks.written import counted
from lab2live.reporting.formatting import amount

LETTER = r"[^\W\d_]"
# UTF-8 read as cp1252 or Latin-1: every character stands for one byte again.
BYTE_OF = {chr(byte): byte for byte in range(256)} | {
    bytes([byte]).decode("cp1252"): byte for byte in range(128, 160) if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}
TAIL = "[" + "".join(re.escape(sign) for sign, byte in BYTE_OF.items() if 0x80 <= byte < 0xC0) + "]"
PAIR = f"[Â-ß]{TAIL}"
MOJIBAKE = re.compile(
    # several in a row are no words; of a single one, a quote or a dash behind a capital is just that
    rf"(?:{PAIR}){{2,}}|[ÂÃ]{TAIL}|(?![Ä-ß][‘’“”–—…™•»«]){PAIR}|[à-ï]{TAIL}{{2}}|[ð-ô]{TAIL}{{3}}"
)
# What a single pair may stand for: Latin, Greek and Cyrillic letters. KÔŠ is a word, and no Armenian.
LIKELY = re.compile("[\u00a0-\u017f\u0386-\u03ce\u0400-\u045f]")
# The same accident with the code pages of old terminals: their signs for the first byte never stand inside words.
OLD_PAGES = {"cp437": re.compile("[├┬][^\x00-\x7f]"), "mac_roman": re.compile("[√¬][^\x00-\x7f\\s\\d]")}
ENTITY = re.compile(r"&(?:[A-Za-z]{2,8}|#\d{2,6}|#[xX][0-9A-Fa-f]{2,5});")
ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
# Joiners belong into emoji and some scripts; between plain letters they are left-overs.
INVISIBLE = re.compile("[\ufeff\u200b\u2060]|(?<=[A-Za-z0-9])[\u200c\u200d]|[\u200c\u200d](?=[A-Za-z0-9])")
BROKEN = re.compile("[\ufffd\x80-\x9f\x00-\x08\x0b\x0c\x0e-\x1f]")
SUSPICIOUS = re.compile(r"[^\x20-\x7e\s]|&|\\u|\?|[\x00-\x08\x0b\x0c\x0e-\x1f]")
LOST = re.compile(rf"(?<={LETTER})\?|\?(?={LETTER})")


def encoding(charter: Charter, survey: Survey) -> list[Finding | Skip]:
    """Find texts, and names of columns, whose characters were broken on their way.

    Parameters
    ----------
    charter
        Not needed.
    survey
        All its text columns are looked at, identifiers too.

    Returns
    -------
    list of Finding
        Examples show the repaired form where there is one.
    """
    found: list[Finding | Skip] = []
    for column, known in survey.facts.items():
        if (name := repair(column)) != column or BROKEN.search(column):
            what = f"The name of column {column!r} of {survey.name} holds broken characters."
            example = [f"{column!r} -> {name}"]
            found.append(finding("consistency.encoding", survey.name, column, "warn", 1, 0, what, None, example))
        if known.kind != "text":
            continue
        counts = counted(survey, column)
        broken = _broken(counts)
        if not broken:
            continue
        rows = int(counts[list(broken)].sum())
        share = rows / int(counts.sum())
        found.append(
            finding(
                "consistency.encoding",
                survey.name,
                column,
                ANY_PART.severity(share),
                share,
                0,
                f"{column} of {survey.name} holds broken characters in {amount(rows, 'row')} ({share:.1%})"
                f"{survey.basis}.",
                rows,
                (_visible(wrong) + (f" -> {right}" if right != wrong else "") for wrong, right in broken.items()),
            )
        )
    return found


def _broken(counts: pd.Series) -> dict[str, str]:
    """Give the broken texts of a column and their repaired forms, the most frequent first."""
    if not SUSPICIOUS.search("\n".join(counts.index)):
        return {}
    whole = [text for text in counts.index if not text.isascii() and "?" not in text]
    broken = {}
    for text in counts.index:
        if not SUSPICIOUS.search(text):
            continue
        repaired = repair(text)
        if repaired != text or BROKEN.search(text):
            broken[text] = repaired
        elif whole and LOST.search(text) and (right := _with_letters(text, whole)):
            broken[text] = right
    return broken


def _with_letters(text: str, whole: Iterable[str]) -> str | None:
    """Find the one text in which letters stand where this one has question marks: M?nchen is München."""
    pattern = re.compile("".join("[^\x00-\x7f]" if sign == "?" else re.escape(sign) for sign in text))
    return next((other for other in whole if pattern.fullmatch(other)), None)


def repair(text: str) -> str:
    """Undo what broke a text: UTF-8 read in another code page, HTML entities, escapes, invisible characters.

    Legitimate accents, emoji and other scripts stay as they are.
    """
    for _ in range(2):  # it happens twice in a row
        text = MOJIBAKE.sub(_decoded, text)
    for page, first in OLD_PAGES.items():
        for part in _runs(text) if first.search(text) else ():
            try:
                text = text.replace(part, part.encode(page).decode("utf-8"))
            except UnicodeError:
                continue
    text = ENTITY.sub(lambda match: html.unescape(match[0]), text)
    text = ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
    return INVISIBLE.sub("", text)


def _decoded(match: re.Match[str]) -> str:
    try:
        text = bytes(BYTE_OF[sign] for sign in match[0]).decode("utf-8")
    except UnicodeError:
        return match[0]
    return text if len(match[0]) > 2 or match[0][0] in "ÂÃ" or LIKELY.match(text) else match[0]


def _runs(text: str) -> Iterator[str]:
    return (match[0] for match in re.finditer("[^\x00-\x7f]{2,}", text))


def _visible(text: str) -> str:
    return text if text.isprintable() else repr(text)
