"""What a check of the data can say: a finding with numbers and examples, or a skip with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pandas as pd

from lab2live.eda.checks.catalogue import CHECKS

Severity = Literal["info", "warn", "fail"]
ORDER: tuple[Severity, ...] = ("info", "warn", "fail")
EXAMPLES = 3
LONGEST_EXAMPLE = 60
# What findings on the table of all sources, joined, name as their source.
JOINED = "joined table"


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


# Values in another form than the rest: any is worth a look, from a fifth of the rows on nothing can be built on them.
ANY_PART = Limits(0.0, 0.2)


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
    unread
        Sources that could not be looked at: as long as there are any, nobody can say that all is well.
    """

    findings: tuple[Finding, ...]
    skipped: tuple[Skip, ...]
    sources: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    def of(self, *checks: str) -> list[Finding]:
        """Give the findings of some checks: `missing` stands for all of `missing.*`, `L4b` for all that answer it."""
        return [found for found in self.findings if _among(found.check, checks)]

    def largest(self, check: str, nothing: str, without: float | None = None) -> tuple[float | None, str]:
        """Give a gate the largest value that one check measured; `without` and `nothing` when it found nothing."""
        top = max(self.of(check), key=lambda found: found.value, default=None)
        if top is None or not top.value:
            return (None, self._not_all) if self.unread else (without, nothing) if top is None else (0, top.message)
        return top.value, top.message

    @property
    def _not_all(self) -> str:
        """Why the gates of a run with unreadable sources cannot pass."""
        names = ", ".join(self.unread)
        if not self.sources:
            return f"Nothing could be looked at: {names} could not be read."
        return f"{names} could not be read, and in {', '.join(self.sources)} nothing was found."

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
        if self.unread:
            return None, self._not_all
        without = [skip for skip in skipped if skip.check == needs]
        if without and {skip.source for skip in without} >= set(self.sources):
            return None, without[0].reason
        return 0, nothing + (" Not everything could be compared: see what could not be checked." if skipped else "")


def collect(found: Iterable[Finding | Skip], sources: Iterable[str] = (), unread: Iterable[str] = ()) -> Found:
    """Sort what checks gave: findings, the worst first, and skips."""
    several = list(found)
    findings = [one for one in several if isinstance(one, Finding)]
    findings.sort(key=lambda one: (-ORDER.index(one.severity), one.check))
    return Found(tuple(findings), tuple(one for one in several if isinstance(one, Skip)), tuple(sources), tuple(unread))


def _among(check: str, checks: Iterable[str]) -> bool:
    return any(CHECKS[check].requirement == name or f"{check}.".startswith(f"{name}.") for name in checks)


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
            {"source": source, "not checked for": "; ".join(dict.fromkeys(titles)), "why": reason}
            for (source, reason), titles in reasons.items()
        ]
    )
