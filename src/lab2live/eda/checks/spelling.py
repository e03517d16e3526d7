"""One thing, spelt in several ways."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.eda.checks.encoding import repair
from lab2live.eda.checks.expected import declared
from lab2live.eda.checks.findings import ANY_PART, Finding, Skip, finding
from lab2live.eda.checks.survey import Survey
from lab2live.eda.checks.written import meaningful
from lab2live.reporting.formatting import agree, amount

# Fewer different values than this are categories: more are names, where close spellings are different people.
CATEGORIES = 100
# Free text repeats itself by chance; neither many levels nor long ones are categories.
MOST_LEVELS = 5000
LONGEST_LEVEL = 60
# A level is what others are typing errors of when it stands for at least this share of the rows.
MAIN_SHARE = 0.005
MOST_MAIN = 60
# Shorter words have honest neighbours: so many letters are needed for a doubled, a swapped and any other letter.
DOUBLED, SWAPPED, SHORTEST_WORD = 3, 4, 5
# How rare a typing error is beside what was meant. A swapped, lost or doubled letter rarely makes a real word; another
# letter often does (shirts, skirts): that has to be rarer, unless several levels of the column show it.
SURE_RATIO = 0.2
UNSURE_RATIO = 0.05

LETTER = r"[^\W\d_]"
BETWEEN_WORDS = re.compile(rf"(?<={LETTER})[\s\-‐‑–_.'’]+(?=\w)|(?<=\w)[\s\-‐‑–_.'’]+(?={LETTER})")
AT_THE_END = re.compile(rf"(?<={LETTER})[.,;:!]+$")
REPEATED = re.compile(rf"({LETTER})\1+")
ACCENTS = re.compile("[\u0300-\u036f]")


def spelling(charter: Charter, survey: Survey) -> list[Finding | Skip]:
    """Find levels of a category that are one thing in several spellings.

    Where the charter lists the values of a column, a value that only resembles one of them is such a spelling, however
    frequent it is.

    Parameters
    ----------
    charter
        Keys are left to the checks of keys.
    survey
        Its text columns that repeat themselves are looked at.

    Returns
    -------
    list of Finding
        One per column, `rows` those in another spelling than the usual or the declared one.
    """
    found: list[Finding | Skip] = []
    for column, known in survey.facts.items():
        if known.kind != "text" or column in survey.days or column in {survey.source.key, *charter.identifiers}:
            continue
        levels = _levels(meaningful(survey, column))
        wanted = declared(charter, survey.source, column)
        meant = _as_declared(_variants(levels), levels, wanted)
        rows, filled = sum(levels[level] for level in meant), sum(levels.values())
        if not rows:
            continue
        share = rows / filled
        names = len(set(meant.values()))
        many = "one value" if names == 1 else amount(names, "value")
        other = "another spelling" if len(meant) == 1 else amount(len(meant), "other spelling")
        found.append(
            finding(
                "consistency.spelling",
                survey.name,
                column,
                ANY_PART.severity(share),
                share,
                0,
                f"{column} of {survey.name} spells {many} in several ways: {amount(rows, 'row')} ({share:.1%}) "
                f"{agree(rows, 'is', 'are')} in {other}{survey.basis}.",
                rows,
                (
                    f"{_shown(level)} -> {_shown(meant[level])}"
                    for level in sorted(meant, key=lambda name: -levels[name])
                ),
                "declared" if wanted else None,
            )
        )
    return found


def _levels(counts: pd.Series) -> dict[str, int]:
    """Give the levels of a category; nothing for what is none."""
    rows = int(counts.sum())
    if len(counts) > MOST_LEVELS or (rows > 20 and len(counts) > rows / 2):
        return {}
    levels = {str(level): int(times) for level, times in counts.items()}
    if sum(len(level) * times for level, times in levels.items()) > LONGEST_LEVEL * rows:
        return {}
    return {level: times for level, times in levels.items() if re.search(LETTER, level) and repair(level) == level}


def _variants(levels: Mapping[str, int]) -> dict[str, str]:
    """Say of every rarer spelling what is meant."""
    # sorted, so that two runs name the same one when two spellings are equally frequent
    ordered = sorted(levels, key=lambda level: (-levels[level], level != level.strip(), level))
    first: dict[str, str] = {}
    meant = {}
    few = sum(times >= MAIN_SHARE * sum(levels.values()) for times in levels.values()) <= CATEGORIES
    for level in ordered:
        main = first.setdefault(_fold(level, few), level)
        if main != level:
            meant[level] = main
    together: Counter[str] = Counter()
    for level, times in levels.items():
        together[meant.get(level, level)] += times
    errors = _typing_errors(together)
    return {level: errors.get(main, main) for level, main in (*meant.items(), *errors.items())}


def _as_declared(meant: Mapping[str, str], levels: Mapping[str, int], wanted: Sequence[str]) -> dict[str, str]:
    """Correct what is meant by what the charter declares: its values are no errors, others that resemble them are."""
    found = {level: main for level, main in meant.items() if level not in wanted}
    written = {_fold(one, True): one for one in wanted}
    for level in levels:
        if level in wanted:
            continue
        same = written.get(_fold(level, True))
        if same is None:
            near = resembled(level, wanted)
            if near:
                found[level] = max(near, key=lambda one: levels.get(one, 0))
        elif same in levels:  # else all rows agree, and only the charter writes it otherwise
            found[level] = same
    return found


def resembled(level: str, wanted: Sequence[str]) -> list[str]:
    """Give the declared values of which a level may be another spelling; of many, all of them names, none."""
    if len(wanted) > CATEGORIES:
        return []
    return [one for one in wanted if _fold(level, True) == _fold(one, True) or _resembles(level, one)]


def _resembles(level: str, one: str) -> bool:
    wrong, right = _words(level), _words(one)
    plain = (REPEATED.sub(r"\1", text) for text in (wrong, right))
    return len(set(plain)) == 1 or _slip(wrong, right) is not None or _abbreviates(level, one)


def _fold(level: str, everything: bool) -> str:
    """Write a level without what people vary: case and spaces, and among categories accents and separators."""
    text = " ".join(unicodedata.normalize("NFKC", level).casefold().split())
    if not everything:
        return text
    text = unicodedata.normalize("NFC", ACCENTS.sub("", unicodedata.normalize("NFD", text)))
    return AT_THE_END.sub("", BETWEEN_WORDS.sub("", text))


def _typing_errors(levels: Mapping[str, int]) -> dict[str, str]:
    """Find rare levels one slip of the finger away from a frequent one (Damerau 1964)."""
    rows = sum(levels.values())
    main = [level for level, times in levels.items() if times >= max(5, MAIN_SHARE * rows)]
    # many ordinary levels, or a long tail of rare ones, are names of things, not categories
    if len(main) > MOST_MAIN or sum(levels[level] for level in main) < 0.8 * rows:
        return {}
    near: dict[str, list[str]] = {}
    for level in main:
        for form in _shortened(_words(level)):
            near.setdefault(form, []).append(level)
    slips: dict[str, tuple[str, bool]] = {}
    for level, times in levels.items():
        close = {other for form in _shortened(_words(level)) for other in near.get(form, ()) if other != level}
        for other in sorted(close, key=lambda name: -levels[name]):
            sure = _slip(_words(level), _words(other))
            ratio = times / levels[other]
            if sure is None or ratio > 1:
                continue
            if ratio > SURE_RATIO:
                return {}  # two ordinary levels are as close as that: here it means nothing
            slips.setdefault(level, (other, sure))
        abbreviated = [other for other in main if other != level and _abbreviates(level, other)]
        if level not in slips and len(abbreviated) == 1 and times <= SURE_RATIO * levels[abbreviated[0]]:
            slips[level] = (abbreviated[0], True)
    several = len({other for other, _ in slips.values()}) > 1
    return {
        level: other
        for level, (other, sure) in slips.items()
        if sure or several or levels[level] <= UNSURE_RATIO * levels[other]
    }


def _words(level: str) -> str:
    return " ".join(ACCENTS.sub("", unicodedata.normalize("NFD", level.casefold())).split())


def _shortened(word: str) -> set[str]:
    """Give a word and all forms of it with one letter less: words one slip apart share such a form."""
    return {word, *(word[:place] + word[place + 1 :] for place in range(len(word)))}


def _slip(wrong: str, right: str) -> bool | None:
    """Say whether one slip leads from one word to the other: `True` a typical one, `None` no slip at all."""
    start = next((i for i, (a, b) in enumerate(zip(wrong, right, strict=False)) if a != b), min(len(wrong), len(right)))
    left = right.rfind(" ", 0, start) + 1
    end = right.find(" ", start)
    word = right[left : end if end >= 0 else len(right)]
    if wrong == right or not word.isalpha():
        return None
    a, b = wrong[start:], right[start:]
    if not (b or a)[0].isalpha() or not (a or b)[0].isalpha():
        return None
    if len(a) == len(b):
        if len(a) > 1 and a[0] == b[1] and a[1] == b[0] and a[2:] == b[2:]:
            return True if len(word) >= SWAPPED else None
        # the first letter is hardly ever mistyped, and makes other words: Gambia, Zambia
        return False if a[1:] == b[1:] and start > left and len(word) >= SHORTEST_WORD else None
    longer, shorter = (a, b) if len(a) > len(b) else (b, a)
    if longer[1:] != shorter:
        return None
    if longer is a and start > left and longer[0] == right[start - 1]:
        return True if len(word) >= DOUBLED else None
    if len(word) < SHORTEST_WORD or (start == left and longer[0] in "aeiou"):
        return None  # typical, atypical
    # a letter at the end is grammar as often as an error: phone, phones
    return longer is b if shorter else None


def _abbreviates(short: str, long: str) -> bool:
    stem = short.strip().casefold().removesuffix(".")
    return (
        short.strip().endswith(".") and len(stem) > 1 and stem != long.casefold() and long.casefold().startswith(stem)
    )


def _shown(level: str) -> str:
    """Quote a level whose spaces would not be seen."""
    return level if level == " ".join(level.split()) else repr(level)
