"""Keys that stand for several rows, and keys that are one but for upper case and spaces (L4d)."""

from __future__ import annotations

import functools
import re

import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.eda.checks import missing
from lab2live.eda.checks.findings import EXAMPLES, Finding, Skip, finding
from lab2live.eda.checks.survey import Survey
from lab2live.reporting.formatting import agree, amount

# Above this share of repeated keys a source holds several rows per key by its nature; below, they look like errors.
BY_NATURE = 0.2
# So many keys tell how keys are written, and so many odd ones of a large table are fetched.
LOOKED_AT = 1000


def duplicates(charter: Charter, survey: Survey) -> list[Finding | Skip]:
    """Find keys that stand for several rows, and keys that are one but for upper case and spaces.

    A source that the charter aggregates has many rows for a key, and one that has them by its nature is left to
    `fan_out`; spellings of one key are a fault everywhere.
    """
    names = _key_names(charter, survey)
    if not names:
        return []
    limits = missing.limits(charter, "eda.duplicate_keys")
    column = ", ".join(names)
    found: list[Finding | Skip] = []
    is_base = survey.name == charter.base.name
    if not survey.source.aggregate:
        keys, surplus, examples = repeated(survey, names)
        if surplus and (is_base or keys <= BY_NATURE * (survey.rows - surplus)):
            what = (
                f"{amount(keys, 'key')} of {survey.name} {agree(keys, 'stands', 'stand')} for more than one row "
                f"({amount(surplus, 'row')} too many after the join, {surplus / survey.rows:.1%})."
            )
            severity = limits.severity(surplus)
            found.append(
                finding(
                    "integration.duplicate_keys",
                    survey.name,
                    column,
                    severity,
                    surplus,
                    limits.warn,
                    what,
                    surplus,
                    examples=examples,
                )
            )
    for name in names:
        spelt = _spellings(survey, name)
        if spelt:
            what = (
                f"{amount(len(spelt), 'value')} of {name} in {survey.name} {agree(len(spelt), 'is', 'are')} written in "
                f"several ways that differ in upper "
                f"case or spaces only."
            )
            severity = limits.severity(len(spelt))
            found.append(
                finding(
                    "integration.duplicate_keys",
                    survey.name,
                    name,
                    severity,
                    len(spelt),
                    limits.warn,
                    what,
                    rows=len(spelt),
                    examples=[" | ".join(map(repr, ways[:EXAMPLES])) for ways in spelt[:EXAMPLES]],
                )
            )
    return found


def _key_names(charter: Charter, survey: Survey) -> tuple[str, ...]:
    """Name what should be unique: in the base the id of a case, in the others what they are joined by."""
    joined = tuple(charter.join_keys)
    own = (charter.prediction.id_column, survey.source.key)
    if survey.name == charter.base.name:
        single = next((name for name in own if name in survey.facts), None)
        # a base with one row per customer and month has no key of one column
        if single is not None and not (len(joined) > 1 and single in joined):
            return (single,)
    return joined if joined and set(joined) <= set(survey.facts) else ()


@functools.lru_cache(maxsize=8)  # two checks ask, and large tables take their time
def repeated(survey: Survey, names: tuple[str, ...]) -> tuple[int, int, tuple[str, ...]]:
    """Count keys with several rows, and the rows beyond the first of each; missing keys are no copies."""
    if survey.complete:
        keys = survey.sample[list(names)].dropna()
        if any(survey.facts[name].kind == "other" for name in names):
            keys = keys.astype(str)  # lists have no hash
        again = keys.duplicated()
        if not again.any():
            return 0, 0, ()
        times = keys[keys.duplicated(keep=False)].value_counts(sort=False)
        times = times.sort_values(ascending=False, kind="stable")
        examples = tuple(" / ".join(map(str, key)) for key in times.index[:EXAMPLES])
        return len(times), int(again.sum()), examples
    table = survey.table.filter([survey.table[name].notnull() for name in names])
    counted = table.group_by(list(names)).aggregate(lab2live_times=table.count())
    repeated = counted.filter(counted.lab2live_times > 1)
    totals = repeated.aggregate(keys=repeated.count(), rows=repeated.lab2live_times.sum()).to_pyarrow().to_pylist()[0]
    number = int(totals["keys"] or 0)
    if not number:
        return 0, 0, ()
    examples = repeated.select(*names).limit(EXAMPLES).to_pandas().astype(str).agg(" / ".join, axis=1)
    return number, int(totals["rows"]) - number, tuple(examples)


def _spellings(survey: Survey, name: str) -> list[list[str]]:
    """Group the keys that differ in upper case and spaces only, each group with its spellings."""
    if survey.facts[name].kind != "text":
        return []
    whole = survey.complete
    written = survey.sample[name].dropna().drop_duplicates().astype(str) if whole else _odd_keys(survey, name)
    together = "\n".join(written)
    # most keys are written plainly, which is quickly seen of all of them at once
    if (
        together in (together.upper(), together.lower())
        and len(together) == len("".join(together.split())) + len(written) - 1
    ):
        return []
    bare = pd.Series(["".join(key.split()) for key in written], index=written.index, dtype=object)
    folded = bare if _case_matters(bare) else pd.Series([key.casefold() for key in bare], bare.index, dtype=object)
    if folded.is_unique:
        return []
    groups = written[folded.duplicated(keep=False)].groupby(folded, sort=False)
    return [sorted(ways) for _, ways in groups]


def _case_matters(keys: pd.Series) -> bool:
    """Say whether aB3 and Ab3 are two keys: where upper and lower case are mixed in ever new ways."""
    some = keys.head(LOOKED_AT)
    patterns = {re.sub("[a-z]", "a", re.sub("[A-Z]", "A", key)) for key in some}
    mixed = sum(key not in (key.lower(), key.upper()) for key in some)
    return mixed > 0.5 * len(some) and len({re.sub("[^aA]", "", pattern) for pattern in patterns}) > 0.1 * len(some)


def _odd_keys(survey: Survey, name: str) -> pd.Series:
    """Fetch from a large table the keys that share their plain form with another one."""
    table = survey.table.filter(survey.table[name].notnull())
    column = table[name]
    spaced, not_upper, not_lower = (
        (column != plain).ifelse(1, 0).sum() for plain in (column.replace(" ", ""), column.upper(), column.lower())
    )
    asked = table.aggregate(spaced=spaced, not_upper=not_upper, not_lower=not_lower).to_pyarrow().to_pylist()[0]
    # one look at every key spares most tables the grouping of all of them
    if not asked["spaced"] and not (asked["not_upper"] and asked["not_lower"]):
        return pd.Series(dtype=object)
    keys = table.group_by(key=column, plain=column.lower().replace(" ", "")).aggregate()
    groups = keys.group_by("plain").aggregate(ways=keys.count())
    several = keys.semi_join(groups.filter(groups.ways > 1), "plain").limit(LOOKED_AT)
    return several.to_pandas()["key"].astype(str)
