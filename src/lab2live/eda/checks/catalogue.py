"""Everything that is looked for in the data: why it hurts a model, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# What contradicts the data: what the charter declares, an earlier extract, another source, a form that cannot be right
# by itself, a feature that reproduces the target; or a check of the project's own says so.
Witness = Literal["declared", "snapshot", "second source", "form", "determinism", "own"]


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
    witness
        What contradicts the data wherever this check finds something; `None` where that differs, or nothing does.
    """

    requirement: str
    title: str
    why: str = ""
    fix: str = ""
    witness: Witness | None = None


CHECKS: dict[str, Check] = {
    "missing.critical": Check(
        "L4a",
        "Critical attributes are empty",
        "The model answers all the same, from what is left.",
        "Ask the owner why they are empty, and whether they will be in production.",
        witness="declared",
    ),
    "missing.sentinel": Check(
        "L4a",
        "A number or date stands for nothing",
        "A model takes it for a real, extreme value.",
        "Turn it into an empty value in features.py, or where the data are exported.",
    ),
    "missing.placeholder": Check(
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
    "drift.change_point": Check(
        "L4b",
        "The level jumps at a moment in time",
        "What was learnt before the jump does not hold after it.",
        "Ask what changed that day: a new system, unit or definition? Correct it, or learn from one side only.",
    ),
    "validity.constant": Check(
        "L4b",
        "A column that hardly ever changes",
        "Nothing can be learnt from it, and the export may be broken.",
        "Drop it, or ask the owner why it is always the same.",
    ),
    "validity.range": Check(
        "L4b",
        "Values that cannot be",
        "They are errors, and nobody knows how many more are hidden among the values that can be.",
        "Correct them at the source; if they are right, say so in the charter (min, max or values of the column).",
    ),
    "completeness.category": Check(
        "L4c",
        "Entities are missing altogether",
        "The model has never seen them and will be asked about them.",
        "Ask the owner whether the export leaves them out; if they stay out, say so in the model's contract.",
    ),
    "completeness.combination": Check(
        "L4c",
        "Combinations are missing altogether",
        "Both values are known, together they are not: the model guesses there.",
        "Ask whether the combination cannot be, or was lost.",
    ),
    "completeness.time_gap": Check(
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
        witness="second source",
    ),
    "integration.duplicate_keys": Check(
        "L4d",
        "One key stands for several rows",
        "After the join such cases count more than once, in training and in the test.",
        "Drop the copies, write keys one way, or say in the charter how to aggregate the source.",
        witness="form",
    ),
    "integration.fan_out": Check(
        "L4d",
        "The join multiplies rows",
        "Cases are copied, and copies of one case end up in training and test.",
        "Say in the charter how to aggregate the source: one row per key.",
        witness="second source",
    ),
    "consistency.conflict": Check(
        "L4d",
        "Two sources say different things about the same",
        "The model learns from whichever came last.",
        "Decide which system is right, and take the attribute from there alone.",
    ),
    "consistency.unit": Check(
        "L4d",
        "Values in another unit or scale",
        "100 and 10000 then mean the same, and the model cannot know.",
        "Find the rows by their origin and convert them; declare unit, min and max in the charter.",
    ),
    "consistency.spelling": Check(
        "L4d",
        "One thing, spelt in several ways",
        "Each spelling becomes a category of its own with too few rows.",
        "Map the spellings to one in features.py, or where the data are exported.",
    ),
    "consistency.encoding": Check(
        "L4d",
        "Broken characters",
        "The same word is no longer the same word, in joins and as a category.",
        "Export again as UTF-8, or repair the text before it is used.",
        witness="form",
    ),
    "consistency.date_order": Check(
        "L4d",
        "Day and month are mixed up",
        "Dates move by months without anybody noticing.",
        "Export dates as YYYY-MM-DD.",
    ),
    "consistency.timezone": Check(
        "L4d",
        "Times in another zone",
        "Events move by hours, sometimes to another day, and their order is wrong.",
        "Store times in UTC, or with their offset, in every source.",
    ),
    "consistency.decimal_comma": Check(
        "L4d",
        "Decimal commas beside decimal points",
        "39,22 is read as a word, or as 3922.",
        "Export all rows with one decimal separator.",
        witness="form",
    ),
    "consistency.leading_zeros": Check(
        "L4d",
        "Leading zeros are lost",
        "007 and 7 are two keys: rows no longer find each other.",
        "Export the column as text, in its full length.",
    ),
    "schema.dtype": Check(
        "L4d",
        "Numbers and words in one column",
        "The whole column becomes text, and its order is lost.",
        "Correct the rows with words, or store the column as what it is in every source.",
    ),
    "schema.columns": Check(
        "L4d",
        "The table is not built as it should be",
        "What the model needs may be missing or mean something else.",
        "Ask the owner what changed, and correct the charter or the export.",
    ),
    "completeness.truncated": Check(
        "L4d",
        "The export stops early",
        "The rows that are missing are rarely like the others.",
        "Export again and compare the number of rows with the source.",
    ),
    "timeliness.incomplete_period": Check(
        "L4d",
        "The last part has not arrived completely",
        "The newest period looks quiet, and the model learns that.",
        "Wait until it is complete, or leave the last period out.",
    ),
    "timeliness.stale": Check(
        "L4d",
        "The data are older than they should be",
        "The model learns a past that is over, and production will look different.",
        "Ask the owner for a fresh extract, and why the delivery stopped.",
    ),
    "consistency.row_shift": Check(
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
        witness="second source",
    ),
    "label.not_matured": Check(
        "L3",
        "Outcomes that are not final yet",
        "The newest cases count as negative only because their outcome has not happened yet.",
        "Leave out cases younger than the label delay.",
    ),
}
