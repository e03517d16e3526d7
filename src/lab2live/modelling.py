"""From the joined table to models: which column plays which part, how rows are split, and the candidate pipelines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from lab2live import charts, user_code
from lab2live.charter import FILE
from lab2live.errors import UserError
from lab2live.schema import Charter

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MISSING = "(missing)"
# Every category that is rare, or that the data have never shown.
OTHER = "(other)"
# Dates enter the models as days since this day.
EPOCH = pd.Timestamp("2000-01-01")
TEST_SHARE = 0.2
LARGEST = float(np.finfo(np.float32).max)
RAREST_CATEGORY = 20
MOST_CATEGORIES = 30
# From this many rows on, more threads earn their keep.
THREADS_FROM = 100_000

Kind = Literal["number", "date", "category"]
Problem = Literal["binary", "multiclass", "regression"]


@dataclass(frozen=True)
class Columns:
    """Which columns the models see, and why they do not see the others.

    Attributes
    ----------
    kinds
        Column -> `number`, `date` or `category`, in the order in which the models get them.
    levels
        Category -> the values that are told apart; all others are `(other)`.
    left_out
        Column -> reason in words.
    """

    kinds: Mapping[str, Kind]
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def numbers(self) -> list[str]:
        return [name for name, kind in self.kinds.items() if kind != "category"]

    @property
    def categories(self) -> list[str]:
        return [name for name, kind in self.kinds.items() if kind == "category"]


@dataclass(frozen=True)
class Dataset:
    """What the models learn from: cases with a known outcome.

    Attributes
    ----------
    raw
        The joined table with the user's features, for the business rule and for showing cases.
    inputs
        The same rows in the form that models take, see `prepare`.
    outcome
        Shape (rows,): 0/1 for two classes, class codes for more, floats for regression.
    classes
        What the codes stand for; for two classes the positive one is last. Empty for regression.
    columns
        The part each column plays.
    unlabelled
        Number of rows left out because their outcome is not known.
    """

    raw: pd.DataFrame
    inputs: pd.DataFrame
    outcome: np.ndarray
    classes: tuple[str, ...]
    columns: Columns
    unlabelled: int

    @property
    def problem(self) -> Problem:
        if not self.classes:
            return "regression"
        return "binary" if len(self.classes) == 2 else "multiclass"


def dataset(charter: Charter, table: pd.DataFrame) -> Dataset:
    """Turn the joined table into what models learn from.

    Parameters
    ----------
    charter
        Names target, id, keys and the positive class.
    table
        One row per case, see `eda.sources.joined_table`.

    Returns
    -------
    Dataset

    Raises
    ------
    UserError
        If the target is missing or does not fit the problem type, or no usable column is left.
    """
    prediction = charter.prediction
    where = f"{charter.folder / FILE}, field `prediction.target`"
    if prediction.target not in table.columns:
        raise UserError(
            "The target is not in the joined table.",
            where=where,
            found=prediction.target,
            expected=f"one of {', '.join(map(str, table.columns))}",
            fix="correct the target, or add the source that has it",
        )
    known = table[prediction.target].notna()
    # The user's functions never see the outcome: a feature made of it would be perfect, and worthless.
    raw = user_code.add_features(charter, labelled(charter, table))
    target = table.loc[known, prediction.target]
    if prediction.problem_type == "regression":
        outcome, classes = _numbers(target, where), ()
    else:
        outcome, classes = _codes(target, prediction.positive_class, where)
    columns = roles(raw, identifiers={prediction.id_column, *charter.join_keys, *prediction.labelers})
    if not columns.kinds:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in columns.left_out.items())
        raise UserError(
            "No column is left to predict from.", where=charter.folder / FILE, found=reasons or "no columns"
        )
    return Dataset(raw, prepare(raw, columns), outcome, classes, columns, int((~known).sum()))


def support(data: Dataset) -> tuple[int, str]:
    """Count the cases of the rarest class, or all cases of a regression: what there is to learn from."""
    unknown = f" {data.unlabelled:,} cases have no known outcome and are left out." if data.unlabelled else ""
    if not data.classes:
        return len(data.outcome), f"{len(data.outcome):,} cases with a known outcome.{unknown}"
    counts = np.bincount(data.outcome, minlength=len(data.classes))
    rarest = int(counts.argmin())
    return int(counts[rarest]), (
        f"{len(data.outcome):,} cases with a known outcome, {counts[rarest]:,} of them in the rarest class "
        f"({data.classes[rarest]}).{unknown}"
    )


def _numbers(target: pd.Series, where: str) -> np.ndarray:
    numbers = pd.to_numeric(target, errors="coerce").to_numpy(dtype=float)
    if not np.isfinite(numbers).all():
        example = target[~np.isfinite(numbers)].iloc[0]
        raise UserError(
            "The target of a regression must be a number.",
            where=where,
            found=repr(example),
            expected="numbers only",
            fix="clean the column, or set prediction.problem_type: classification",
        )
    return numbers


def _codes(target: pd.Series, positive: Any, where: str) -> tuple[np.ndarray, tuple[str, ...]]:
    labels = target.map(label)
    counts = labels.value_counts()
    classes = sorted(counts.index)
    if len(classes) < 2 or len(classes) > 20:
        raise UserError(
            "The target of a classification needs two classes or a few more.",
            where=where,
            found=f"{len(classes)} different values, e.g. {', '.join(classes[:5])}",
            expected="2 to 20",
            fix="choose another target, or set prediction.problem_type: regression",
        )
    if len(classes) == 2:
        wanted = label(positive) if positive is not None else str(min(classes, key=lambda name: (counts[name], name)))
        if wanted not in classes:
            raise UserError(
                "The positive class is not among the values of the target.",
                where=where.replace("target", "positive_class"),
                found=wanted,
                expected=" or ".join(classes),
                fix="correct it, or leave it out: then the rarer class is the positive one",
            )
        classes.sort(key=lambda name: name == wanted)
    return labels.map({name: code for code, name in enumerate(classes)}).to_numpy(dtype=int), tuple(classes)


def label(value: Any) -> str:
    """Write a class the same way wherever it comes from: True, 1 and 1.0 differ between a YAML, a CSV and a database."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, int | float | np.number) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def roles(raw: pd.DataFrame, identifiers: set[str | None] = frozenset()) -> Columns:  # type: ignore[assignment]
    """Decide which part each column plays, from its values alone and without looking at the outcome.

    Parameters
    ----------
    raw
        The table with the user's features, without the target.
    identifiers
        Columns that name a case rather than describe it.

    Returns
    -------
    Columns
    """
    kinds: dict[str, Kind] = {}
    left_out: dict[str, str] = {}
    for name in raw.columns:
        kind, reason = ("", "it names the case") if name in identifiers else _role(raw[name])
        if kind:
            kinds[name] = kind
        else:
            left_out[name] = reason
    levels = {name: _levels(raw[name]) for name, kind in kinds.items() if kind == "category"}
    return Columns(kinds, levels, left_out)


def _levels(column: pd.Series) -> tuple[str, ...]:
    """List the values frequent enough to learn from.

    Done here and not inside the pipelines: the ONNX converter cannot group rare categories.
    """
    counts = column.dropna().map(label).value_counts()
    return tuple(sorted(counts[counts >= min(RAREST_CATEGORY, counts.max())].index[:MOST_CATEGORIES]))


def _role(column: pd.Series) -> tuple[Kind | Literal[""], str]:
    values = column.dropna()
    different = values.map(str).nunique() if column.dtype == object else values.nunique()
    if values.empty:
        return "", "it is empty"
    if different == 1 and not column.isna().any():
        return "", "it has the same value everywhere"
    if pd.api.types.is_datetime64_any_dtype(column) or _holds_dates(values):
        return "date", ""
    if pd.api.types.is_bool_dtype(column) or values.map(type).eq(bool).all():
        return "number", ""
    if pd.api.types.is_timedelta64_dtype(column) or _is_numeric(values):
        steps = (
            np.diff(pd.to_numeric(values.head(1000)).to_numpy(dtype=float))
            if not values.map(type).eq(bool).any()
            else ()
        )
        if different == len(column) and len(column) > 20 and len(set(steps)) == 1:
            return "", "it counts the rows"
        return "number", ""
    if different > max(50, len(values) / 2):
        return "", "almost every value is different: a name, an identifier or free text"
    if different > 50 and values.map(str).str.split().str.len().mean() > 4:
        return "", "free text"
    return "category", ""


def _is_numeric(values: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(values):
        return True
    # Databases hand decimals over as objects.
    return values.dtype == object and not values.map(type).isin([str, bytes]).any() and _all_parse(values)


def _all_parse(values: pd.Series) -> bool:
    return bool(pd.to_numeric(values, errors="coerce").notna().all())


def _holds_dates(values: pd.Series) -> bool:
    """Recognise dates kept as text (SQLite has no others) or as date objects: ISO 8601 only, others are ambiguous."""
    if pd.api.types.is_numeric_dtype(values):
        return False
    text = values.head(1000).map(str)
    if not text.str.match(r"^\d{4}-\d{2}(-\d{2}([T ]\d{2}:\d{2}.*)?)?$").all():
        return False
    return bool(pd.to_datetime(text, errors="coerce", format="ISO8601", utc=True).notna().all())


def prepare(raw: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """Bring a table into the form that models, their export and the service all take.

    Parameters
    ----------
    raw
        Any rows with the columns; one that is missing is treated as empty.
    columns
        What `roles` decided on the data the model learns from.

    Returns
    -------
    pandas.DataFrame
        Numbers and dates (days since 2000-01-01) rounded to float32, NaN for missing or unreadable values; categories
        as text, with `(missing)` and `(other)` among them. The same index as `raw`.
    """
    prepared: dict[str, pd.Series] = {}
    for name, kind in columns.kinds.items():
        column = raw[name] if name in raw else pd.Series(np.nan, index=raw.index, dtype=object)
        if kind == "category":
            known = set(columns.levels[name])
            text = column.map(label, na_action="ignore").astype(object)
            prepared[name] = text.where(text.isin(known), OTHER).where(column.notna(), MISSING)
            continue
        if kind == "date":
            days = pd.to_datetime(column.map(str, na_action="ignore"), errors="coerce", format="ISO8601", utc=True)
            numbers = (days - EPOCH.tz_localize("UTC")) / pd.Timedelta(days=1)
        elif pd.api.types.is_timedelta64_dtype(column):
            numbers = column / pd.Timedelta(days=1)
        else:
            numbers = pd.to_numeric(column, errors="coerce")
        finite = numbers.astype("float64").replace([np.inf, -np.inf], np.nan)
        # Rounded to what the exported model takes, kept as float64 so that scikit-learn computes in full precision.
        prepared[name] = finite.clip(-LARGEST, LARGEST).astype("float32").astype("float64")
    return pd.DataFrame(prepared, index=raw.index)


@dataclass(frozen=True)
class Split:
    """Row numbers of the part to learn from and of the part that is opened once, and how they were drawn."""

    train: np.ndarray
    test: np.ndarray
    how: str


def split(charter: Charter, data: Dataset, seed: int) -> Split:
    """Hold a test part back the way the model will be used: later rows by time, whole groups by group, else stratified."""
    from sklearn.model_selection import GroupShuffleSplit, train_test_split

    rows = np.arange(len(data.raw))
    prediction = charter.prediction
    if prediction.time_column in data.raw:
        order = np.argsort(_moments(data.raw[prediction.time_column]), kind="stable")
        cut = int(len(rows) * (1 - TEST_SHARE))
        return Split(order[:cut], order[cut:], f"the last {TEST_SHARE:.0%} by {prediction.time_column}")
    if prediction.group_column in data.raw:
        groups = data.raw[prediction.group_column].map(str)
        train, test = next(GroupShuffleSplit(1, test_size=TEST_SHARE, random_state=seed).split(rows, groups=groups))
        return Split(train, test, f"whole groups of {prediction.group_column}, at random")
    counts = np.bincount(data.outcome) if data.classes else np.array([0])
    stratify = data.outcome if data.classes and counts.min() >= 2 else None
    train, test = train_test_split(rows, test_size=TEST_SHARE, random_state=seed, stratify=stratify)
    how = "at random, classes in equal shares" if stratify is not None else "at random"
    return Split(np.sort(train), np.sort(test), how)


def _moments(column: pd.Series) -> np.ndarray:
    """Make a column sortable by time, whether it holds dates or numbers; unknown moments count as the earliest."""
    if pd.api.types.is_numeric_dtype(column):
        return column.fillna(-np.inf).to_numpy(dtype=float)
    moments = pd.to_datetime(column.map(str, na_action="ignore"), errors="coerce", format="ISO8601", utc=True)
    return moments.fillna(pd.Timestamp(0, tz="UTC")).astype("int64").to_numpy()


def folds(
    charter: Charter, data: Dataset, train: np.ndarray, folds: int, repeats: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Split the training part again and again, in the same way in which the test part was held back.

    Yields
    ------
    (learn, validate)
        Row numbers of the data set.
    """
    from sklearn import model_selection as select

    prediction = charter.prediction
    if prediction.time_column in data.raw:
        # `train` is in the order of time already
        for learn, validate in select.TimeSeriesSplit(folds).split(train):
            yield train[learn], train[validate]
        return
    outcome, groups = data.outcome[train], None
    for repeat in range(repeats):
        splitter: Any
        if prediction.group_column in data.raw:
            groups = data.raw[prediction.group_column].map(str).to_numpy()[train]
            kind = select.StratifiedGroupKFold if data.classes else select.GroupKFold
            splitter = kind(folds, shuffle=True, random_state=seed + repeat)
        else:
            kind = select.StratifiedKFold if data.classes else select.KFold
            splitter = kind(folds, shuffle=True, random_state=seed + repeat)
        for learn, validate in splitter.split(train, outcome, groups):
            yield train[learn], train[validate]


def encoder(columns: Columns, *, impute: bool) -> Any:
    """Turn prepared inputs into a matrix of numbers: categories one-hot, numbers passed through or imputed and scaled.

    One-hot, because both the exact reasons of tree models and the ONNX export are right with it; native categories are
    silently wrong in both.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32)
    numbers = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    parts = [
        ("numbers", numbers if impute else "passthrough", columns.numbers),
        ("categories", one_hot, columns.categories),
    ]
    return ColumnTransformer([part for part in parts if part[2]], verbose_feature_names_out=False)


def linear(data: Dataset) -> Any:
    """Give the simplest model that learns: logistic regression, or ridge regression."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import Pipeline

    model = LogisticRegression(C=0.3, max_iter=2000) if data.classes else Ridge(alpha=1.0)
    return Pipeline([("encode", encoder(data.columns, impute=True)), ("model", model)])


def boosting(data: Dataset, seed: int) -> Any:
    """Give gradient boosting; for two classes its probabilities are calibrated inside the pipeline.

    One sigmoid over one margin (Platt 1999): the reasons still add up after it, and ONNX holds it exactly.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.pipeline import Pipeline

    settings: dict[str, Any] = {
        "learning_rate": 0.08,
        "max_iter": 120,
        "max_leaf_nodes": 12,
        "min_samples_leaf": 30,
        "l2_regularization": 1.0,
        "early_stopping": False,
        "random_state": seed,
    }
    if data.problem == "binary":
        inner = HistGradientBoostingClassifier(**settings)
        model: Any = CalibratedClassifierCV(inner, method="sigmoid", ensemble=False, cv=3)
    elif data.problem == "multiclass":
        model = HistGradientBoostingClassifier(**settings)
    else:
        model = HistGradientBoostingRegressor(**settings)
    return Pipeline([("encode", encoder(data.columns, impute=False)), ("model", model)])


def fit(model: Any, data: Dataset, rows: np.ndarray) -> Any:
    """Fit a pipeline on some rows of a data set and give it back."""
    with quiet_threads(len(rows)):
        return model.fit(data.inputs.iloc[rows], data.outcome[rows])


def quiet_threads(rows: int) -> Any:
    """Keep small work on one thread.

    Boosting synchronises its threads thousands of times; on small tables they wait longer than they work, and on a
    busy machine five to nine times as long. One thread also adds numbers up in the same order every time.
    """
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1 if rows < THREADS_FROM else None, user_api="openmp")


def predict(model: Any, inputs: pd.DataFrame) -> np.ndarray:
    """Give one number per row: the probability of the positive class, the class code, or the value.

    Parameters
    ----------
    model
        A fitted pipeline of this module.
    inputs
        See `prepare`.

    Returns
    -------
    numpy.ndarray
        Shape (rows,).
    """
    with quiet_threads(len(inputs)):
        if hasattr(model, "predict_proba"):
            probabilities: np.ndarray = model.predict_proba(inputs)
            return probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities.argmax(axis=1)
        predicted: np.ndarray = model.predict(inputs)
        return predicted


def labelled(charter: Charter, table: pd.DataFrame) -> pd.DataFrame:
    """Give the rows of a table whose outcome is known, in the order in which a data set has them, without the outcome."""
    target = charter.prediction.target
    return table.loc[table[target].notna()].drop(columns=target).reset_index(drop=True)


def parts(data: Dataset) -> pd.DataFrame:
    """Show the part each column plays, or why it plays none."""
    used = [{"column": name, "part": kind, "why not": ""} for name, kind in data.columns.kinds.items()]
    return pd.DataFrame(
        used + [{"column": name, "part": "left out", "why not": why} for name, why in data.columns.left_out.items()]
    )


def outcome_chart(data: Dataset, target: str) -> Figure:
    """Draw how often each outcome occurs."""
    if not data.classes:
        return charts.histogram({target: data.outcome}, f"How {target} is distributed", target)
    shares = np.bincount(data.outcome, minlength=len(data.classes)) / len(data.outcome)
    title = f"{target} is {data.classes[-1]} in {shares[-1]:.0%} of the cases"
    return charts.bars(data.classes, shares, title, "share of cases", percent=True)
