"""What a check of the data can say: a finding with numbers and examples, or a skip with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pandas as pd

Severity = Literal["info", "warn", "fail"]
ORDER: tuple[Severity, ...] = ("info", "warn", "fail")
EXAMPLES = 3
LONGEST_EXAMPLE = 60
# What findings on the table of all sources, joined, name as their source.
JOINED = "joined table"


@dataclass(frozen=True)
class Check:
    """One thing that is looked for.

    Attributes
    ----------
    requirement
        The id in `docs/requirements.md` that it answers.
    title
        What is wrong when it is found, in a few words.
    why
        Why that hurts a model, as a sentence.
    fix
        What to do about it, as a sentence.
    """

    requirement: str
    title: str
    why: str
    fix: str


CHECKS: dict[str, Check] = {
    "missing.critical": Check(
        "L4a",
        "Critical attributes are empty",
        "The model answers all the same, from what is left.",
        "Ask the owner why they are empty, and whether they will be in production.",
    ),
    "missing.sentinel": Check(
        "L4a",
        "A number or date stands for nothing",
        "A model takes it for a real, extreme value.",
        "Turn it into an empty value in features.py, or where the data are exported.",
    ),
    "missing.token": Check(
        "L4a",
        "A word or a blank stands for nothing",
        "It counts as filled in, and becomes a category of its own.",
        "Turn it into an empty value in features.py, or where the data are exported.",
    ),
    "outlier.univariate": Check(
        "L4b",
        "Values far from all others",
        "A few of them can bend a linear model and every mean.",
        "Check the examples with the owner: typing error, other unit, or real? Declare min and max in the charter.",
    ),
    "outlier.multivariate": Check(
        "L4b",
        "Rows whose values do not go together",
        "Each value is plausible, the combination is not: often two records mixed up.",
        "Look at the rows with the owner before they are learnt from.",
    ),
    "outlier.level_shift": Check(
        "L4b",
        "The level jumps at a moment in time",
        "What was learnt before the jump does not hold after it.",
        "Ask what changed that day: a new system, unit or definition? Correct it, or learn from one side only.",
    ),
    "outlier.constant": Check(
        "L4b",
        "A column that hardly ever changes",
        "Nothing can be learnt from it, and the export may be broken.",
        "Drop it, or ask the owner why it is always the same.",
    ),
    "outlier.impossible": Check(
        "L4b",
        "Values that cannot be",
        "They are errors by the charter's own limits, and nobody knows how many more are hidden inside the limits.",
        "Correct them at the source, or correct min and max in the charter.",
    ),
    "coverage.entity": Check(
        "L4c",
        "Entities are missing altogether",
        "The model has never seen them and will be asked about them.",
        "Ask the owner whether the export leaves them out; if they stay out, say so in the model's contract.",
    ),
    "coverage.combination": Check(
        "L4c",
        "Combinations are missing altogether",
        "Both values are known, together they are not: the model guesses there.",
        "Ask whether the combination cannot be, or was lost.",
    ),
    "coverage.time_gap": Check(
        "L4c",
        "Time is missing",
        "Whatever happened then is not learnt, and counts per period are wrong.",
        "Ask for the missing days, or leave the period around them out.",
    ),
    "integration.orphan_keys": Check(
        "L4d",
        "Keys that the other system does not know",
        "Their rows are lost in the join, or their cases stay half empty.",
        "Find out which system was cleaned and which was not.",
    ),
    "integration.duplicate_keys": Check(
        "L4d",
        "One key stands for several rows",
        "After the join such cases count more than once, in training and in the test.",
        "Drop the copies, write keys one way, or say in the charter how to aggregate the source.",
    ),
    "integration.fan_out": Check(
        "L4d",
        "The join multiplies rows",
        "Cases are copied, and copies of one case end up in training and test.",
        "Say in the charter how to aggregate the source: one row per key.",
    ),
    "integration.conflict": Check(
        "L4d",
        "Two sources say different things about the same",
        "The model learns from whichever came last.",
        "Decide which system is right, and take the attribute from there alone.",
    ),
    "integration.unit": Check(
        "L4d",
        "Values in another unit or scale",
        "100 and 10000 then mean the same, and the model cannot know.",
        "Find the rows by their origin and convert them; declare unit, min and max in the charter.",
    ),
    "integration.spelling": Check(
        "L4d",
        "One thing, spelt in several ways",
        "Each spelling becomes a category of its own with too few rows.",
        "Map the spellings to one in features.py, or where the data are exported.",
    ),
    "integration.encoding": Check(
        "L4d",
        "Broken characters",
        "The same word is no longer the same word, in joins and as a category.",
        "Export again as UTF-8, or repair the text before it is used.",
    ),
    "integration.date_order": Check(
        "L4d",
        "Day and month are mixed up",
        "Dates move by months without anybody noticing.",
        "Export dates as YYYY-MM-DD.",
    ),
    "integration.timezone": Check(
        "L4d",
        "Times in another zone",
        "Events move by hours, sometimes to another day, and their order is wrong.",
        "Store times in UTC, or with their offset, in every source.",
    ),
    "integration.decimal_comma": Check(
        "L4d",
        "Decimal commas beside decimal points",
        "39,22 is read as a word, or as 3922.",
        "Export all rows with one decimal separator.",
    ),
    "integration.leading_zeros": Check(
        "L4d",
        "Leading zeros are lost",
        "007 and 7 are two keys: rows no longer find each other.",
        "Export the column as text, in its full length.",
    ),
    "integration.dtype": Check(
        "L4d",
        "Numbers and words in one column",
        "The whole column becomes text, and its order is lost.",
        "Correct the rows with words, or store the column as what it is in every source.",
    ),
    "integration.schema": Check(
        "L4d",
        "The table is not built as it should be",
        "What the model needs may be missing or mean something else.",
        "Ask the owner what changed, and correct the charter or the export.",
    ),
    "integration.truncated": Check(
        "L4d",
        "The export stops early",
        "The rows that are missing are rarely like the others.",
        "Export again and compare the number of rows with the source.",
    ),
    "integration.late": Check(
        "L4d",
        "The last part has not arrived completely",
        "The newest period looks quiet, and the model learns that.",
        "Wait until it is complete, or leave the last period out.",
    ),
    "integration.stale": Check(
        "L4d",
        "The data are older than they should be",
        "The model learns a past that is over, and production will look different.",
        "Ask the owner for a fresh extract, and why the delivery stopped.",
    ),
    "integration.misaligned": Check(
        "L4d",
        "Values stand in the wrong row",
        "A column that slipped belongs to somebody else in every row: pure noise with the right distribution.",
        "Export again, joined by key and never by position.",
    ),
    "duplicate.rows": Check(
        "L4d",
        "The same row several times",
        "Copies count more than once, and may stand in training and test alike.",
        "Drop them, unless two equal events are really two.",
    ),
    "leakage.feature": Check(
        "L3",
        "A feature that is too good",
        "It may be known only once the outcome is: perfect in the test, worthless in production.",
        "Ask when its value is written. If it is after the outcome, leave it out.",
    ),
    "leakage.identifier": Check(
        "L3",
        "An identifier knows the outcome",
        "Numbers given in the order of events carry the outcome into the test, not into production.",
        "Leave it out of the features; check how numbers are given.",
    ),
    "leakage.time": Check(
        "L3",
        "Something from after the outcome",
        "When the model has to answer, it does not exist yet.",
        "Leave it out, or cut the data at the moment of the prediction.",
    ),
    "label.noise": Check(
        "L3",
        "Outcomes that look wrong",
        "The model learns the errors, and the test counts right answers as wrong.",
        "Let somebody review the rows; never drop them by rule.",
    ),
    "label.agreement": Check(
        "L3",
        "Labelers do not agree",
        "A model cannot be better than the labels it is measured against.",
        "Sharpen the instructions and label the disputed rows again.",
    ),
    "label.immature": Check(
        "L3",
        "Outcomes that are not final yet",
        "The newest cases count as negative only because their outcome has not happened yet.",
        "Leave out cases younger than the label delay.",
    ),
}


@dataclass(frozen=True)
class Finding:
    """One thing found in the data. Field names are the contract of `results/eda.json`."""

    check: str
    source: str
    column: str | None
    severity: Severity
    value: float
    threshold: float
    message: str
    rows: int | None
    examples: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        return f"{self.source}, {self.column}" if self.column else self.source

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "examples": list(self.examples)}


@dataclass(frozen=True)
class Skip:
    """A check that could not be made, and why: said, never counted as passed."""

    check: str
    source: str
    reason: str


def finding(
    check: str,
    source: str,
    column: str | None,
    severity: Severity,
    value: float,
    threshold: float,
    what: str,
    rows: int | None = None,
    examples: Iterable[Any] = (),
) -> Finding:
    """Word a finding: what was found, why it hurts, what to do.

    Parameters
    ----------
    check
        One of `CHECKS`, which knows why and what to do.
    source, column
        Where.
    severity
        How bad.
    value, threshold
        What was measured, and the limit above (or below) which it is a finding.
    what
        What, where, how many, as a sentence in plain words.
    rows
        Number of rows concerned, if that can be said.
    examples
        The first three are kept, as text cut to a readable length.
    """
    known = CHECKS[check]
    shown = [text if len(text) <= LONGEST_EXAMPLE else text[: LONGEST_EXAMPLE - 1] + "…" for text in map(str, examples)]
    message = what if severity == "info" else f"{what} {known.why} {known.fix}"
    return Finding(
        check, source, column, severity, float(value), float(threshold), message, rows, tuple(shown[:EXAMPLES])
    )


@dataclass(frozen=True)
class Limits:
    """The values above which a finding warns and fails."""

    warn: float
    fail: float

    def severity(self, value: float) -> Severity:
        return "fail" if value > self.fail else "warn" if value > self.warn else "info"


@dataclass(frozen=True)
class Found:
    """What some checks found, and what they could not look at.

    Attributes
    ----------
    findings
        The worst first.
    skipped
        Checks that could not be made.
    sources
        What was looked at.
    """

    findings: tuple[Finding, ...]
    skipped: tuple[Skip, ...]
    sources: tuple[str, ...] = ()

    def of(self, *checks: str) -> list[Finding]:
        """Give the findings of some checks: `missing` stands for all of `missing.*`."""
        return [found for found in self.findings if _among(found.check, checks)]

    def largest(self, check: str, nothing: str, without: float | None = None) -> tuple[float | None, str]:
        """Give a gate the largest value that one check measured; `without` and `nothing` when it found nothing."""
        top = max(self.of(check), key=lambda found: found.value, default=None)
        return (without, nothing) if top is None else (top.value, top.message)

    def worst(
        self, *checks: str, nothing: str, but: Sequence[str] = (), needs: str | None = None
    ) -> tuple[float | None, str]:
        """Give a gate the severity of the worst finding of some checks.

        Parameters
        ----------
        *checks
            As for `of`.
        nothing
            What to say when nothing was found.
        but
            Checks that have a gate of their own.
        needs
            A check without which nobody can say that all is well: if it was skipped everywhere, so is the gate.

        Returns
        -------
        level, message
            0 for nothing or remarks, 1 when the worst is a warning, 2 when it fails, `None` for a skip.
        """
        concerned = [found for found in self.of(*checks) if not _among(found.check, but)]
        skipped = [skip for skip in self.skipped if _among(skip.check, checks) and not _among(skip.check, but)]
        level = max((ORDER.index(found.severity) for found in concerned), default=0)
        if level:
            bad = [found for found in concerned if found.severity == ORDER[level]]
            places = "; ".join(f"{CHECKS[found.check].title.lower()} ({found.where})" for found in bad[:EXAMPLES])
            more = f" and {len(bad) - EXAMPLES} more" if len(bad) > EXAMPLES else ""
            kind = "finding that fails" if level == 2 else "warning"
            plural = "findings that fail" if level == 2 else "warnings"
            return level, f"{len(bad)} {kind if len(bad) == 1 else plural}: {places}{more}."
        without = [skip for skip in skipped if skip.check == needs]
        if without and {skip.source for skip in without} >= set(self.sources):
            return None, without[0].reason
        return 0, nothing + (" Not everything could be compared: see what could not be checked." if skipped else "")


def collect(found: Iterable[Finding | Skip], sources: Iterable[str] = ()) -> Found:
    """Sort what checks gave: findings, the worst first, and skips."""
    several = list(found)
    findings = [one for one in several if isinstance(one, Finding)]
    findings.sort(key=lambda one: (-ORDER.index(one.severity), one.check))
    return Found(tuple(findings), tuple(one for one in several if isinstance(one, Skip)), tuple(sources))


def _among(check: str, checks: Iterable[str]) -> bool:
    return any(f"{check}.".startswith(f"{name}.") for name in checks)


def table(findings: Sequence[Finding]) -> pd.DataFrame:
    """Show findings, one a line, the worst first."""
    ordered = sorted(findings, key=lambda found: -ORDER.index(found.severity))
    return pd.DataFrame(
        [
            {
                "source": found.source,
                "column": found.column,
                "severity": found.severity,
                "what": found.message,
                "examples": ", ".join(found.examples),
            }
            for found in ordered
        ]
    )


def skips(skipped: Sequence[Skip]) -> pd.DataFrame:
    """Show what could not be checked, and why; checks with one reason share a line."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for skip in skipped:
        reasons.setdefault((skip.source, skip.reason), []).append(CHECKS[skip.check].title)
    return pd.DataFrame(
        [
            {"source": source, "not checked": "; ".join(dict.fromkeys(titles)), "why": reason}
            for (source, reason), titles in reasons.items()
        ]
    )
