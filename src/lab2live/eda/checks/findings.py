"""What a check of the data can say: a finding with numbers and examples, or a skip with its reason."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, field, replace
from itertools import islice
from typing import Any, Literal, get_args

import pandas as pd

from lab2live.charter.schema import Accepted, Charter
from lab2live.eda.checks.catalogue import CHECKS, Check, Witness
from lab2live.errors import UserError
from lab2live.pipeline.evidence import Evidence

Severity = Literal["info", "warn", "fail"]
ORDER: tuple[Severity, ...] = get_args(Severity)
EXAMPLES = 3
LONGEST_EXAMPLE = 60
# What findings on the table of all sources, joined, name as their source.
JOINED = "joined table"
# What checks across sources that could not be made name as theirs.
ALL_SOURCES = "all sources"


@dataclass(frozen=True)
class Finding:
    """One thing found in the data. Field names are the contract of `results/eda.json`.

    A check of a project's own gives the first six; what follows them is filled in for it.

    Attributes
    ----------
    value
        What was measured, e.g. the share of rows concerned.
    message
        What was found, as a plain sentence.
    column
        Where, if it is one column.
    severity
        `info` is worth a look and moves no gate, `warn` and `fail` do.
    rows
        Number of rows concerned, if that can be said.
    examples
        The first three are kept, as text cut to a readable length.
    check, source
        Which check found it, in which source.
    witness
        What contradicts the data; `own` for a check of the project's own, `None` where there is nothing but the data.
    threshold
        The limit above (or below) which the value is a finding; `None` where the check has said its severity itself.
    accepted
        The entry of the charter by which a person has settled it.

    Raises
    ------
    ValueError, TypeError
        If the severity is none, the value no number, or the message no text.
    """

    value: float
    message: str
    column: str | None = None
    severity: Severity = "info"
    rows: int | None = None
    examples: Iterable[Any] = ()
    _: KW_ONLY
    check: str = ""
    source: str = ""
    witness: Witness | None = None
    threshold: float | None = None
    accepted: Accepted | None = None

    def __post_init__(self) -> None:
        if self.severity not in ORDER:
            raise ValueError(f"the severity `{self.severity}` is not one of {', '.join(ORDER)}")
        if not isinstance(self.message, str):
            raise TypeError(f"the message is no text but {type(self.message).__name__}")
        object.__setattr__(self, "value", float(self.value))
        object.__setattr__(self, "examples", tuple(map(_cut, islice(self.examples, EXAMPLES))))

    @property
    def where(self) -> str:
        return f"{self.source}, {self.column}" if self.column else self.source

    def as_dict(self) -> dict[str, Any]:
        """Give what `results/eda.json` holds of it."""
        entry = self.accepted
        return {
            "check": self.check,
            "source": self.source,
            "column": self.column,
            "severity": self.severity,
            "witness": self.witness,
            "value": self.value,
            "threshold": self.threshold,
            "message": self.message,
            "rows": self.rows,
            "examples": list(self.examples),
            "accepted": entry.model_dump(mode="json", include={"by", "until", "value", "why"}) if entry else None,
        }


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
    witness: Witness | None = None,
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
        See `Finding`.
    witness
        What contradicts the data; by default what always does where this check finds something.
    """
    known = CHECKS[check]
    return Finding(
        value,
        what if severity == "info" else f"{what} {known.why} {known.fix}",
        column,
        severity,
        rows,
        examples,
        check=check,
        source=source,
        witness=witness or known.witness,
        threshold=float(threshold),
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
    personal
        Whether the rows may be those of people: then tables show no examples.
    own
        The project's own checks, by id.
    problems
        Why some of them could not be used.
    """

    findings: tuple[Finding, ...]
    skipped: tuple[Skip, ...]
    sources: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    personal: bool = False
    own: Mapping[str, Check] = field(default_factory=dict)
    problems: tuple[UserError, ...] = ()

    def of(self, *checks: str) -> list[Finding]:
        """Give the findings of some checks: `missing` stands for all of `missing.*`, `L4b` for all that answer it."""
        return [found for found in self.findings if self._among(found.check, checks)]

    def _among(self, check: str, checks: Iterable[str]) -> bool:
        requirement = self._known(check).requirement
        return any(requirement == name or f"{check}.".startswith(f"{name}.") for name in checks)

    def _known(self, check: str) -> Check:
        return self.own[check] if check in self.own else CHECKS[check]

    def largest(self, check: str, otherwise: Evidence) -> Evidence:
        """Give a gate the largest value that one check measured, accepted findings apart.

        Parameters
        ----------
        check
            One that gives a value wherever it looks.
        otherwise
            The answer when it found nothing.
        """
        found = self.of(check)
        open_ = [one for one in found if one.accepted is None]
        top = max(open_, key=lambda one: one.value, default=None)
        if top is not None and top.value:
            value, message = top.value, top.message
        elif self.unread:
            value, message = None, self._not_all
        elif top is not None:
            value, message = 0.0, top.message
        elif found:
            value, message = 0.0, ""
        else:
            value, message = otherwise.value, otherwise.message
        return Evidence(value, (message + _settled_sentence(found)).strip(), self._table(found))

    @property
    def _not_all(self) -> str:
        """Why the gates of a run with unreadable sources cannot pass."""
        names = ", ".join(self.unread)
        if not self.sources:
            return f"Nothing could be looked at: {names} could not be read."
        return f"{names} could not be read, and in {', '.join(self.sources)} nothing was found."

    def worst(
        self,
        *checks: str,
        nothing: str,
        but: Sequence[str] = (),
        needs: str | None = None,
        also: Sequence[Finding] = (),
    ) -> Evidence:
        """Give a gate the severity of the worst finding of some checks, accepted ones apart.

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
        also
            Findings of others that count here: those of the project's own checks.

        Returns
        -------
        Evidence
            0 for nothing or remarks, 1 when the worst is a warning, 2 when it fails, `None` for a skip.
        """
        concerned = [*(found for found in self.of(*checks) if not self._among(found.check, but)), *also]
        skipped = [skip for skip in self.skipped if self._among(skip.check, checks)]
        skipped = [skip for skip in skipped if not self._among(skip.check, but)]
        open_ = [found for found in concerned if found.accepted is None]
        level = max((ORDER.index(found.severity) for found in open_), default=0)
        without = [skip for skip in skipped if skip.check == needs]
        value: float | None = level
        if level:
            message = self._places([found for found in open_ if found.severity == ORDER[level]])
        elif self.unread:
            value, message = None, self._not_all
        elif without and {skip.source for skip in without} >= set(self.sources):
            value, message = None, without[0].reason
        else:
            message = nothing + (" Not everything could be compared: see what could not be checked." if skipped else "")
        return Evidence(value, message + _settled_sentence(concerned), self._table(concerned))

    def _places(self, bad: Sequence[Finding]) -> str:
        places = "; ".join(f"{_title(found.check)} ({found.where})" for found in bad[:EXAMPLES])
        more = f" and {len(bad) - EXAMPLES} more" if len(bad) > EXAMPLES else ""
        kinds = {"fail": ("finding that fails", "findings that fail"), "warn": ("warning", "warnings")}
        return f"{len(bad)} {kinds[bad[0].severity][len(bad) > 1]}: {places}{more}."

    def _table(self, findings: Sequence[Finding]) -> pd.DataFrame | None:
        """Show findings, one a line, the worst first; `None` where there are none."""
        ordered = sorted(findings, key=lambda found: -ORDER.index(found.severity))
        shown = pd.DataFrame(
            {
                "source": found.source,
                "column": found.column,
                "severity": found.severity,
                "what": found.message,
                "examples": "" if self.personal else ", ".join(found.examples),
                "accepted": _by(found.accepted) if found.accepted else "",
            }
            for found in ordered
        )
        if shown.empty:
            return None
        empty = [name for name in ("examples", "accepted") if not shown[name].any()]
        return shown.drop(columns=empty)


def _cut(example: object) -> str:
    text = str(example)
    return text if len(text) <= LONGEST_EXAMPLE else text[: LONGEST_EXAMPLE - 1] + "…"


def _title(check: str) -> str:
    return CHECKS[check].title.lower() if check in CHECKS else check


def _settled_sentence(findings: Iterable[Finding]) -> str:
    number = sum(found.accepted is not None for found in findings)
    if not number:
        return ""
    return " One finding is accepted." if number == 1 else f" {number} findings are accepted."


def _by(entry: Accepted) -> str:
    return f"by {entry.by}" + (f" until {entry.until:%Y-%m-%d}" if entry.until else "")


def collect(
    charter: Charter,
    found: Iterable[Finding | Skip],
    sources: Iterable[str] = (),
    unread: Iterable[str] = (),
    own: Mapping[str, Check] | None = None,
    problems: Iterable[UserError] = (),
) -> Found:
    """Sort what checks gave: findings, the worst first, and skips. What the charter accepts is marked."""
    several = list(found)
    findings = [_settled(one, charter.accepted) for one in several if isinstance(one, Finding)]
    findings.sort(key=lambda one: (-ORDER.index(one.severity), one.check))
    skipped = tuple(one for one in several if isinstance(one, Skip))
    return Found(
        tuple(findings), skipped, tuple(sources), tuple(unread), charter.is_personal, own or {}, tuple(problems)
    )


def _settled(found: Finding, entries: Iterable[Accepted], today: dt.date | None = None) -> Finding:
    """Mark a finding that a person has accepted, or say why it counts again."""
    back = ""
    today = today or dt.date.today()
    for entry in entries:
        if not _means(entry, found):
            continue
        # of some values, such as the agreement of labelers, less is worse: they are findings below their threshold
        falls = found.threshold is not None and found.value < found.threshold
        if entry.until is not None and today > entry.until:
            back = f"until {entry.until:%Y-%m-%d}"
        elif entry.value is not None and (found.value < entry.value if falls else found.value > entry.value):
            back = f"up to {entry.value:g}, and it is {found.value:.4g} now"
        else:
            return replace(found, accepted=entry)
        back = f" {entry.by} had accepted this {back}: it counts again."
    return replace(found, message=found.message + back)


def _means(entry: Accepted, found: Finding) -> bool:
    return entry.check == found.check and entry.source in (None, found.source) and entry.column in (None, found.column)


def unmatched(charter: Charter, *several: Found) -> list[str]:
    """Say which accepted findings of the charter are no findings any more: their entries can go."""
    findings = [one for found in several for one in found.findings]
    return [
        f"{entry.check} ({', '.join(filter(None, (entry.source, entry.column))) or 'any source'}), accepted by "
        f"{entry.by}, was not found: its entry under `accepted` in project.yaml can go."
        for entry in charter.accepted
        if not any(_means(entry, one) for one in findings)
    ]


def results(*several: Found, remarks: Sequence[Finding] = ()) -> dict[str, Any]:
    """Give what `results/eda.json` holds of the findings and of what was skipped."""
    findings = [*(one for found in several for one in found.findings), *remarks]
    skipped = [skip for found in several for skip in found.skipped]
    return {"findings": [one.as_dict() for one in findings], "skipped": [asdict(skip) for skip in skipped]}


def skips(*several: Found) -> pd.DataFrame:
    """Show what could not be checked, and why; checks with one reason share a line."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for skip in (skip for found in several for skip in found.skipped):
        title = CHECKS[skip.check].title if skip.check in CHECKS else skip.check
        reasons.setdefault((skip.source, skip.reason), []).append(title)
    return pd.DataFrame(
        [
            {"source": source, "not checked for": "; ".join(dict.fromkeys(titles)), "why": reason}
            for (source, reason), titles in reasons.items()
        ]
    )
