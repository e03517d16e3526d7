"""What the charter may say: every block of `project.yaml` as a typed, frozen model."""

from __future__ import annotations

import datetime as dt
import difflib
import os
import re
import urllib.parse
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from lab2live.charter import gates, metrics
from lab2live.errors import UserError

DEMO_SCHEME = "demo://"
# Addresses of what stands in for data nobody may read yet: drawn from this charter, or taken from public data.
SIMULATED_SCHEME = "simulated://"
PUBLIC_SCHEME = "public://"

# As what a column may be read.
READ_AS = "^(integer|number|boolean|date|moment|text|.*%.*)$"

# Types of columns, and other names under which people know them.
ALIASES = {
    "number": "number numeric float double decimal real money currency",
    "integer": "integer int bigint smallint long count",
    "category": "category categorical enum factor",
    "text": "text string str varchar char",
    "id": "id identifier key uuid",
    "date": "date datetime timestamp",
    "boolean": "boolean bool flag",
}
TYPES = {alias: kind for kind, aliases in ALIASES.items() for alias in aliases.split()}

Trigger = Literal[
    "invalid_input", "out_of_distribution", "low_confidence", "model_error", "time_out", "integrity", "drift"
]
Access = Literal["granted", "requested", "refused", "simulated", "public"]

# The figures of the PoC that every page shows under one name; what a business target may be driven by.
MEASURES = (
    *("net_benefit_per_month", "referral_rate", "reviews_per_month", "contacts_per_month"),
    *("recall", "precision", "threshold"),
)
# Fields of earlier charters, and what each is called now.
RENAMED_FIELDS = {
    "business.value.review_cost_per_case": "business.value.review.cost_per_case",
    "prediction.labelers": "prediction.annotators",
}


class Block(BaseModel):
    """A block of the charter: an unknown field is an error (it may be a typo), an empty one is a missing one.

    `WORD` names the field that is meant where a bare word stands for the block.
    """

    WORD: ClassVar[str] = ""
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, value: Any) -> Any:
        """Treat `field:` with nothing behind it like a field that is not there: a commented-out block leaves one."""
        if isinstance(value, str) and cls.WORD:
            return {cls.WORD: value}
        if not isinstance(value, dict):
            return {} if value is None else value
        kept: dict[Any, Any] = {}
        for key, item in value.items():
            field = cls.model_fields.get(key)
            if field and isinstance(item, dict) and get_origin(field.annotation) is dict:
                kept[key] = {name: one for name, one in item.items() if one not in (None, "")}
            # a field nobody knows is kept, and refused: it is a typo, filled in or not
            elif field is None or item not in (None, ""):
                kept[key] = item
        return kept


class Project(Block):
    """Who and what."""

    name: str = "Unnamed project"
    description: str = ""
    owner: str | None = None
    package: str | None = None
    lessons: list[str] = []


class Answer(Block):
    """One business question (B1-B3): answered in words, measured in numbers.

    Attributes
    ----------
    unit
        Of `current` and `target`: `EUR per month`, `share`, `calls`.
    driven_by
        The figure of the PoC that moves the measure: one of `MEASURES`, also without its `_per_month`.
    """

    WORD = "answer"
    answer: str | None = None
    measure: str | None = None
    unit: str | None = None
    current: float | None = None
    target: float | None = None
    driven_by: str | None = None

    @field_validator("driven_by")
    @classmethod
    def _measured(cls, value: str | None) -> str | None:
        for name in (value, f"{value}_per_month"):
            if name is None or name in MEASURES:
                return name
        raise ValueError(f"`driven_by` names a figure that the PoC does not measure{nearest(str(value), MEASURES)}")


class PerCase(Block):
    """What one decision is worth in money, against doing nothing."""

    true_positive: float
    false_positive: float
    false_negative: float
    true_negative: float


class Review(Block):
    """What a review by a person costs and is worth; `accuracy` left out means no better than the model."""

    cost_per_case: float | None = Field(None, ge=0)
    accuracy: float | None = Field(None, ge=0, le=1)
    capacity_per_month: float | None = Field(None, gt=0)


class Value(Block):
    """Money and volumes."""

    currency: str = "EUR"
    per_case: PerCase | None = None
    cost_matrix: list[list[float]] | None = None
    cost_per_unit_under: float | None = Field(None, ge=0)
    cost_per_unit_over: float | None = Field(None, ge=0)
    cases_per_month: float | None = Field(None, gt=0)
    capacity_per_month: float | None = Field(None, gt=0)
    build_cost: float | None = Field(None, ge=0)
    run_cost_per_month: float | None = Field(None, ge=0)
    review: Review = Review()
    horizon_months: float | None = Field(None, gt=0)


class Business(Block):
    """B1-B3 and the money behind them."""

    customer_experience: Answer = Answer()
    return_on_investment: Answer = Answer()
    process_improvement: Answer = Answer()
    value: Value = Value()


class Feasibility(Block):
    """B4: can it be done?"""

    skills: list[str] = []
    deadline: dt.date | None = None


class Prediction(Block):
    """What is predicted, from what, and how well it has to be."""

    problem_type: Literal["classification", "regression"]
    target: str
    positive_class: str | int | float | bool | None = None
    id_column: str | None = None
    time_column: str | None = None
    group_column: str | None = None
    metric: str | None = None
    required_score: float | None = None
    decision_level: float | None = None
    label_delay_days: float | None = Field(None, ge=0)
    max_training_rows: int | None = Field(None, gt=0)
    annotators: list[str] = []
    immutable: list[str] = []
    direction: dict[str, Literal["increase", "decrease"]] = {}
    derived: dict[str, str] = {}
    sensitive: list[str] = []

    @field_validator("metric")
    @classmethod
    def _fits(cls, value: str | None, info: ValidationInfo) -> str | None:
        kind = info.data.get("problem_type")
        fitting = [name for name, known in metrics.METRICS.items() if known.problem_type == kind]
        if value is not None and kind and value not in fitting:
            raise ValueError(f"prediction.metric `{value}` is not for {kind}: use one of {', '.join(fitting)}")
        return value

    @field_validator("required_score")
    @classmethod
    def _reachable(cls, value: float | None, info: ValidationInfo) -> float | None:
        if value is not None and value > 1 and info.data.get("metric") not in metrics.ERRORS:
            raise ValueError(f"prediction.required_score is {value:g}, and no score is above 1: 75 % is 0.75")
        return value


class Column(Block):
    """What a column of a source should look like.

    Attributes
    ----------
    type
        `number`, `integer`, `category`, `text`, `id`, `date` or `boolean`; any other name is kept for the reader.
    mean
        Of a number, where it is simulated.
    values
        The values that occur: a list, or value -> share of the rows.
    missing
        The share of the rows without a value. For a join key outside the base: of the cases without any rows.
    """

    type: str | None = None
    min: float | None = None
    max: float | None = None
    unit: str | None = None
    mean: float | None = None
    values: list[Any] | dict[Any, float] | None = None
    missing: float | None = Field(None, ge=0, le=1)

    @model_validator(mode="after")
    def _possible(self) -> Column:
        known = [number for number in (self.min, self.mean, self.max) if number is not None]
        if known != sorted(known):
            raise ValueError("`min`, `mean` and `max` have to rise in this order")
        shares = list(self.values.values()) if isinstance(self.values, dict) else [1.0]
        if self.values is not None and (not self.values or min(shares) < 0 or not sum(shares)):
            raise ValueError("`values` has to name values; shares must not be negative, and one has to be above 0")
        return self


class ReadingOptions(Block):
    """How a source is read, if not as found.

    Attributes
    ----------
    nulls
        Texts that mean a missing value, in any column.
    columns
        Column -> its type, or how its days are written, as strptime has it: `%d/%m/%Y`.
    """

    delimiter: str | None = Field(None, min_length=1, max_length=1)
    encoding: str | None = None
    decimal: Literal[".", ","] | None = None
    nulls: list[str] = []
    columns: dict[str, Annotated[str, Field(pattern=READ_AS)]] = {}


class Source(Block):
    """One source (G1): where it lies, who owns it, whether we may use it."""

    name: str
    uri: str | None = None
    table: str | None = None
    key: str | None = None
    owner: str | None = None
    access: Access = "granted"
    requested_on: dt.date | None = None
    granted_on: dt.date | None = None
    stand_in: str | None = None
    personal_data: bool | None = None
    critical: list[str] = []
    columns: dict[str, Column] = {}
    expected: dict[str, list[Any] | str] = {}
    snapshot: str | None = None
    fresh_within_days: float | None = Field(None, gt=0)
    date_column: str | None = None
    aggregate: dict[str, str] = {}
    reading: ReadingOptions = ReadingOptions()

    @model_validator(mode="after")
    def _reachable(self) -> Source:
        if self.uri is None and self.stand_in is None and not self.columns:
            raise ValueError("a source needs a `uri`, a `stand_in` until you have access, or `columns` to simulate it")
        if self.aggregate and self.key is None:
            raise ValueError("`aggregate` needs a `key`: one row per key comes out of it")
        return self

    @property
    def is_open(self) -> bool:
        """Whether it may be used: access is granted, or anybody has it."""
        return self.access in ("granted", "public")

    @property
    def on_stand_in(self) -> bool:
        """Whether the journey must not or cannot read the real thing, and reads the stand-in."""
        return self.uri is None or (self.stand_in is not None and self.access in ("requested", "refused"))

    @property
    def address(self) -> str:
        """What is read: the stand-in as long as the real source is not ours to read; simulated if only described."""
        return (self.stand_in if self.on_stand_in else self.uri) or SIMULATED_SCHEME

    @property
    def is_real(self) -> bool:
        """Whether what is read is said to be the real thing."""
        invented = self.address.startswith((SIMULATED_SCHEME, PUBLIC_SCHEME))
        return not (self.on_stand_in or invented or self.access == "simulated")

    @property
    def files(self) -> list[str]:
        """Every address whose content the checks of this source depend on."""
        lists = [values for values in self.expected.values() if isinstance(values, str)]
        return [self.address, *([self.snapshot] if self.snapshot else []), *lists]


class Join(Block):
    """How the sources become one table."""

    base: str
    on: str | list[str]
    how: Literal["left", "inner"] = "left"


class Member(Block):
    """Somebody who owns a part (T4)."""

    who: str | None = None
    contact: str | None = None
    signs_off: bool = False


class Deployment(Block):
    """L5: where the model has to live, and within which limits."""

    target: Literal["service", "batch", "both"] | None = None
    platform: str | None = None
    latency_ms: float | None = Field(None, gt=0)
    memory_mb: float | None = Field(None, gt=0)
    requests_per_second: float | None = Field(None, gt=0)
    python: str | None = Field(None, coerce_numbers_to_str=True)
    trusted_types: list[str] = []


class PlannedFault(Block):
    """A fault to plant into simulated data; its kinds are those of `eda.simulation.faults`."""

    kind: str
    source: str
    column: str | None = None
    share: float = Field(0.05, gt=0, le=1)


class Simulation(Block):
    """What simulated data should be like, beyond the columns of the sources.

    Attributes
    ----------
    rows
        Of the base source; by default as many as its sample, or a few thousand.
    seed
        The same seed gives the same files.
    base_rate
        Share of the positive class.
    effects
        What the target depends on: column -> effect of one standard deviation, or level -> effect. In log-odds for
        classes, in standard deviations of the target for numbers.
    noise
        Standard deviation, in the same unit, of what no column tells.
    faults
        To be planted when all is drawn.
    sample
        Source -> a file with a few of its real rows, to learn from.
    columns
        Source -> its columns, where the source itself declares none: what stand-ins are drawn from, and no check holds
        the data against.
    """

    rows: int | None = Field(None, ge=1)
    seed: int = Field(0, ge=0)
    base_rate: float | None = Field(None, gt=0, lt=1)
    effects: dict[str, float | dict[Any, float]] = {}
    noise: float | None = Field(None, ge=0)
    faults: list[PlannedFault] = []
    sample: dict[str, str] = {}
    columns: dict[str, dict[str, Column]] = {}


class Fallback(Block):
    """L1: who answers instead of the model; `when` says from which confidence on, `auto` where a review pays."""

    WORD = "to"
    to: Literal["rule", "baseline", "review"]
    when: Literal["auto"] | Annotated[float, Field(ge=0, le=1)] = "auto"


class GateOverride(Block):
    """Limits of one gate that differ from the default."""

    warn: float | None = None
    fail: float | None = None
    must_pass: bool | None = None


class Accepted(Block):
    """A finding that a person has settled; it comes back when it grows beyond `value`, or after `until`."""

    check: str
    source: str | None = None
    column: str | None = None
    why: str
    by: str
    until: dt.date | None = None
    value: float | None = None


class Notebook(Block):
    """A notebook of the project's own, executed after the journey's own."""

    file: str = Field(pattern=r"\.ipynb$")
    needs: list[str] = []


class Charter(Block):
    """The whole file.

    Attributes
    ----------
    folder
        Where paths in it resolve and runs are kept: where the file lies, except for the embedded demo.
    file
        What was read.
    """

    project: Project = Project()
    business: Business = Business()
    feasibility: Feasibility = Feasibility()
    prediction: Prediction
    sources: list[Source] = Field(min_length=1)
    join: Join | None = None
    team: dict[str, Member] = {}
    deployment: Deployment = Deployment()
    fallback: dict[Trigger, Fallback] = {}
    gates: dict[str, GateOverride] = {}
    accepted: list[Accepted] = []
    notebooks: list[Notebook] = []
    simulate: Simulation = Simulation()
    folder: Path = Field(Path("."), exclude=True)
    file: Path = Field(Path("project.yaml"), exclude=True)

    @model_validator(mode="after")
    def _parts_agree(self) -> Charter:
        for gate_id, own in self.gates.items():
            where = f"{self.file}, field `gates.{gate_id}`"
            if gate_id in gates.CATALOGUE:
                try:
                    gates.CATALOGUE[gate_id].overridden(own)
                except UserError as error:
                    raise UserError(error.problem, **{**error.details, "where": where}) from None
            elif not gate_id.startswith(gates.OWN):
                raise unknown_gate(gate_id, gates.CATALOGUE, where)
        for finding in self.accepted:
            if finding.check in gates.RENAMED:
                new = gates.RENAMED[finding.check]
                told = f"is now `{new}`" if new else "is gone: leave it out"
                raise ValueError(f"`accepted`: the check `{finding.check}` {told}")
        if any("when" in answer.model_fields_set for name, answer in self.fallback.items() if name != "low_confidence"):
            raise ValueError("`fallback` has a `when` for another trigger than `low_confidence`: only that has a level")
        names = [source.name for source in self.sources]
        if len(set(names)) < len(names):
            raise ValueError(f"two sources share a name: {', '.join(names)}")
        if len(names) > 1 and self.join is None:
            raise ValueError("several sources need a `join` block: {base: <source>, on: <key>, how: left}")
        named = [("join.base", self.join.base)] if self.join else []
        named += [("simulate", name) for name in (*self.simulate.sample, *(one.source for one in self.simulate.faults))]
        named += [("accepted", finding.source) for finding in self.accepted if finding.source]
        for field, name in named:
            if name not in names:
                hint = did_you_mean(name, names)
                raise ValueError(f"`{field}` names `{name}`, the sources are {', '.join(names)}{hint}")
        return self

    @property
    def answerers(self) -> dict[str, str]:
        """Who answers per trigger: the fallback policy without its levels."""
        return {trigger: answer.to for trigger, answer in self.fallback.items()}

    @property
    def base(self) -> Source:
        """The source that has one row per case."""
        name = self.join.base if self.join else self.sources[0].name
        return next(source for source in self.sources if source.name == name)

    @property
    def join_keys(self) -> list[str]:
        """The columns on which the sources are joined; empty when there is one source."""
        on = self.join.on if self.join else []
        return [on] if isinstance(on, str) else on

    @property
    def identifiers(self) -> list[str]:
        """Columns that name a case rather than describe it."""
        named = [self.prediction.id_column, *self.join_keys]
        return list(dict.fromkeys(name for name in named if name is not None))

    @property
    def is_demo(self) -> bool:
        """Whether any number computed from this charter is about the simulated demo."""
        return any(source.address.startswith(DEMO_SCHEME) for source in self.sources)

    @property
    def is_personal(self) -> bool:
        """Whether the cases may be real people: nobody has said that they are not."""
        real = [source for source in self.sources if source.is_real and not source.address.startswith(DEMO_SCHEME)]
        return any(source.personal_data is not False for source in real)

    @property
    def stand_ins(self) -> list[str]:
        """Sources that are not the real thing: on a stand-in, or simulated."""
        return [source.name for source in self.sources if not source.is_real]

    def locate(self, address: str) -> Path | str:
        """Resolve an address of the charter.

        Parameters
        ----------
        address
            A `uri`, `stand_in` or `snapshot`. `${NAME}` is replaced by that environment variable; where a password
            belongs, any characters may be in it.

        Returns
        -------
        Path or str
            A path, resolved against the charter's folder, or a URL as it stands.

        Raises
        ------
        UserError
            If an environment variable in it is not set.
        """
        for name in re.findall(r"\$\{(\w+)\}", address):
            if name not in os.environ:
                problem = f"An address in the charter needs the environment variable {name}, which is not set."
                raise UserError(problem, where=address, fix=f"set it before you start, e.g. export {name}=...")
            placeholder, value = "${" + name + "}", os.environ[name]
            # a password stands in its variable as it is, with whatever would end it in an address
            address = address.replace(f":{placeholder}@", f":{urllib.parse.quote(value, safe='')}@")
            address = address.replace(placeholder, value)
        if address.startswith("file://"):
            return Path(urllib.request.url2pathname(address.removeprefix("file://")))
        return address if "://" in address else (self.folder / address).resolve()


def nearest(word: str, known: Iterable[str]) -> str:
    """Suggest the closest known name, or list the known ones."""
    names = list(known)
    return did_you_mean(word, names) or f"; known are {', '.join(names[:30])}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Suggest the closest known name, or nothing where all of them are listed beside."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean `{close[0]}`?" if close else ""


def unknown_gate(name: str, known: Iterable[str], where: object) -> UserError:
    """Say of an id that no gate has it: what it is called now, or which one is meant."""
    if name in gates.RENAMED:
        new = gates.RENAMED[name]
        told, fix = ("has another name now", f"write `{new}`") if new else ("is gone", "leave it out")
        return UserError(f"The gate `{name}` {told}.", where=where, found=name, expected=new, fix=fix)
    hint = did_you_mean(name, known).removeprefix("; ")
    fix = hint or "`docs/gates.md` lists the gates; own ones stand in gates.py"
    return UserError(f"There is no gate `{name}`.", where=where, found=name, fix=fix)
