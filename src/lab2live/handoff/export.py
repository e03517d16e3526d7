"""The model as a file that needs no Python to trust: ONNX when it decides exactly like the original, else skops."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lab2live import reproducible
from lab2live.data.encoding import LARGEST, MISSING, OTHER, Columns
from lab2live.pipeline.evidence import Evidence

if TYPE_CHECKING:
    import pandas as pd

    from lab2live.data.dataset import Dataset

# The largest difference that float32 explains: of a probability, and of a number by the spread of its target.
TOLERANCE, OF_SPREAD = 1e-5, 1e-4

# Under which the file of a model of the project's own says of which type its inputs are.
ORIGINALS = "originals"

# Bound on the threads of one prediction: a service answers many at once.
THREADS = 1


@dataclass(frozen=True)
class Parity:
    """How an exported model compares with the original.

    Attributes
    ----------
    rows
        How many rows both were asked.
    disagreeing
        On how many they differ by more than is allowed or decide differently.
    largest
        The largest difference, see `models.gaps`.
    problem
        Why there is no exported model; empty if there is one.
    """

    rows: int
    disagreeing: int
    largest: float
    problem: str = ""

    @property
    def exact(self) -> bool:
        return not self.problem and self.disagreeing == 0


def to_onnx(model: Any, columns: Columns) -> bytes:
    """Convert a fitted pipeline, one input per column.

    They are called `x0`, `x1`, ... in the order of `columns.kinds`. A pipeline of the project's own names its columns
    itself, in more places than can be found: its inputs keep their names, and the file says of which type they are.
    """
    from skl2onnx import to_onnx as convert
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    from lab2live.data import models

    own = models.is_own(model)
    if own:
        # a moment has no form in ONNX: a model that looks at one cannot be converted without it
        types = {name: kind for name, kind in model[0].types.items() if kind != "date"}
        texts, renamed = {name: kind == "text" for name, kind in types.items()}, model[-1]
    else:
        names = input_names(columns)
        texts = {names[name]: kind == "category" for name, kind in columns.kinds.items()}
        renamed = _renamed(model, names)
    kinds = [(name, (StringTensorType if text else FloatTensorType)([None, 1])) for name, text in texts.items()]
    options = {"zipmap": False} if hasattr(model, "predict_proba") else {}
    converted = convert(renamed, initial_types=kinds, options=options, target_opset={"": 18, "ai.onnx.ml": 3})
    if own:
        converted.metadata_props.add(key=ORIGINALS, value=json.dumps(types))
    # the converter keeps these in a set, whose order is another one in every process: the same model, other bytes
    converted.opset_import.sort(key=lambda one: one.domain)
    content: bytes = converted.SerializeToString(deterministic=True)
    return content


def input_names(columns: Columns) -> dict[str, str]:
    """Give every column a name that ONNX takes, whatever the column itself is called."""
    return {column: f"x{number}" for number, column in enumerate(columns.kinds)}


def _renamed(model: Any, names: dict[str, str]) -> Any:
    """Copy a pipeline with its columns renamed: the converter matches them with the inputs by name."""
    copied = copy.deepcopy(model)
    encode = copied[0]
    encode.transformers_ = [
        (part, transformer, [names.get(column, column) for column in columns])
        for part, transformer, columns in encode.transformers_
    ]
    encode.feature_names_in_ = np.array([names[column] for column in encode.feature_names_in_], dtype=object)
    return copied


@dataclass(frozen=True)
class OnnxModel:
    """A converted model in memory.

    Attributes
    ----------
    session, columns
        Of onnxruntime; and what the model sees.
    types
        Of the original columns that a model of the project's own takes; empty for the others.
    """

    session: Any
    columns: Columns
    types: Mapping[str, Any]

    @property
    def own(self) -> bool:
        return bool(self.types)

    def answer(self, inputs: pd.DataFrame | Mapping[str, np.ndarray]) -> np.ndarray:
        """Answer like `models.answer`, from the same inputs: a table, or prepared ones as arrays by column."""
        feed = (
            self._typed(inputs)
            if self.own
            else {
                name: np.asarray(inputs[column], dtype=object if kind == "category" else np.float32).reshape(-1, 1)
                for (column, kind), name in zip(
                    self.columns.kinds.items(), input_names(self.columns).values(), strict=True
                )
            }
        )
        outputs = self.session.run(None, feed)
        if len(outputs) == 1:
            return np.asarray(outputs[0], dtype=float).reshape(-1)
        probabilities = np.asarray(outputs[1], dtype=float)
        return np.asarray(probabilities[:, 1]) if probabilities.shape[1] == 2 else probabilities

    def _typed(self, frame: Any) -> dict[str, np.ndarray]:
        from lab2live.data.originals import Originals

        typed = Originals(self.types).transform(frame)
        feed = {}
        # by their order: the converter writes names that it does not like in a way of its own
        for given, (name, kind) in zip(self.session.get_inputs(), self.types.items(), strict=True):
            column = typed[name].fillna("") if kind == "text" else typed[name].astype(np.float32)
            feed[given.name] = column.to_numpy()[:, None]
        return feed

    def predict(self, inputs: pd.DataFrame) -> np.ndarray:
        """Answer like `models.predict`, from the same inputs."""
        answers = self.answer(inputs)
        return answers if answers.ndim == 1 else np.asarray(answers.argmax(axis=1))


@dataclass(frozen=True)
class SkopsModel:
    """A scikit-learn model read from a file, for what ONNX cannot hold exactly."""

    model: Any

    @property
    def own(self) -> bool:
        from lab2live.data import models

        return models.is_own(self.model)

    def answer(self, inputs: pd.DataFrame | Mapping[str, np.ndarray]) -> np.ndarray:
        """Answer like `models.answer`, from the same inputs: a table, or prepared ones as arrays by column."""
        import pandas as pd

        from lab2live.data import models

        return models.answer(self.model, pd.DataFrame(inputs))

    def predict(self, inputs: pd.DataFrame) -> np.ndarray:
        """Answer like `models.predict`, from the same inputs."""
        from lab2live.data import models

        return models.predict(self.model, inputs)


def to_skops(model: Any) -> bytes:
    """Write a scikit-learn model to bytes: the same model, the same bytes."""
    import skops.io

    return reproducible.skops(skops.io.dumps(model))


def load_onnx(content: bytes, columns: Columns) -> OnnxModel:
    """Load a converted model for this process's processor."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    said = session.get_modelmeta().custom_metadata_map.get(ORIGINALS, "{}")
    return OnnxModel(session, columns, json.loads(said))


def load_skops(content: bytes, trusted: Sequence[str]) -> SkopsModel:
    """Load a scikit-learn model made of nothing but these types, and of those that skops knows to be harmless."""
    import skops.io

    return SkopsModel(skops.io.loads(content, trusted=list(trusted)))


def compare(first: np.ndarray, second: np.ndarray, data: Dataset, threshold: float) -> Parity:
    """Compare the answers of two models to the same rows.

    Parameters
    ----------
    first, second
        Answers, see `models.answer` or `models.predict`.
    data
        Knows the kind of problem, and the spread of a regression's outcome.
    threshold
        Above it the business acts: a difference that crosses it is a different decision, however small.
    """
    from lab2live.data import models

    gaps = models.gaps(first, second, data.outcome, data.classes)
    differs = ~(gaps <= (TOLERANCE if data.classes else OF_SPREAD))  # NaN is a difference
    if data.problem == "binary":
        differs |= (first >= threshold) != (second >= threshold)
    elif first.ndim == 2:
        differs |= first.argmax(axis=1) != second.argmax(axis=1)
    return Parity(len(first), int(differs.sum()), float(gaps[np.isfinite(gaps)].max(initial=0)))


def edge_rows(data: Dataset) -> pd.DataFrame:
    """Make rows that models meet once they are live: everything missing, extremes, categories never seen."""
    import pandas as pd

    columns = data.columns
    typical = data.inputs.iloc[[len(data.inputs) // 2]]
    rows = [typical.assign(**dict.fromkeys(columns.numbers, np.nan), **dict.fromkeys(columns.categories, MISSING))]
    rows.append(typical.assign(**dict.fromkeys(columns.categories, OTHER)))
    for name in columns.numbers:
        low, high = float(data.inputs[name].min()), float(data.inputs[name].max())
        extremes = (np.nan, 0.0, low, high, low - 1000 * (high - low), high + 1000 * (high - low))
        rows += [typical.assign(**{name: value}) for value in extremes]
    for name in columns.categories:
        rows += [typical.assign(**{name: value}) for value in (MISSING, OTHER, "", "never seen", *columns.levels[name])]
    edges = pd.concat(rows, ignore_index=True)
    # As `prepare` would hand them over: nothing beyond what the exported model takes.
    finite = edges[columns.numbers].clip(-LARGEST, LARGEST).astype(np.float32).astype(np.float64)
    return edges.assign(**{name: finite[name] for name in columns.numbers})


def probe_rows(data: Dataset, rows: int, seed: int) -> pd.DataFrame:
    """Draw rows to ask both models: real ones, real values in new combinations, and the edge rows."""
    import pandas as pd

    random = np.random.default_rng(seed)
    real = data.inputs.sample(rows // 2, replace=True, random_state=seed)
    mixed = pd.DataFrame(
        {
            name: data.inputs[name].to_numpy()[random.integers(len(data.inputs), size=rows - len(real))]
            for name in data.inputs
        }
    )
    return pd.concat([real, mixed, edge_rows(data)], ignore_index=True)


def own_probe_rows(model: Any, data: Dataset, rows: int, seed: int) -> pd.DataFrame:
    """Draw rows to ask both forms of a model of the project's own: as `probe_rows`, of the original columns.

    Edge rows that the model itself refuses are left out: the fallback answers these, whatever the format.
    """
    import pandas as pd

    from lab2live.data import models

    raw, random = data.raw[list(model[0].types)], np.random.default_rng(seed)
    real = raw.sample(rows // 2, replace=True, random_state=seed)
    places = random.integers(len(raw), size=(rows - len(real), raw.shape[1]))
    mixed = pd.DataFrame({name: raw[name].array[places[:, number]] for number, name in enumerate(raw)})
    typical = raw.iloc[[len(raw) // 2]]
    tried = [typical.assign(**dict.fromkeys(map(str, raw)))]
    for name, kind in model[0].types.items():
        values: tuple[Any, ...] = (None, "", "never seen")
        if kind in ("number", "integer"):
            low, high = float(raw[name].min()), float(raw[name].max())
            values = (None, 0.0, low - 1000 * (high - low), high + 1000 * (high - low))
        tried += [typical.assign(**{name: pd.Series([value], typical.index, dtype=object)}) for value in values]
    edges = []
    for row in tried:
        try:
            models.predict(model, row)
            edges.append(row)
        except Exception:  # the user's estimator: it may refuse what it cannot take
            continue
    return pd.concat([real, mixed, *edges], ignore_index=True)


def export(
    model: Any, data: Dataset, threshold: float, *, rows: int = 10_000, seed: int = 0
) -> tuple[str, bytes, Parity]:
    """Export a model to ONNX if that decides exactly like it, else to skops.

    Returns
    -------
    format, content, parity
        `onnx` or `skops`, the file's content, and how ONNX compared.
    """
    from lab2live.data import models

    probes = own_probe_rows(model, data, rows, seed) if models.is_own(model) else probe_rows(data, rows, seed)
    try:
        content = to_onnx(model, data.columns)
        answers = load_onnx(content, data.columns).answer(probes)
    except (MemoryError, OSError):  # of this machine, and not of the model: another format would not mend it
        raise
    except Exception as error:  # whatever the converter cannot do, skops can
        problem = (
            f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no message'}"
        )
        return "skops", to_skops(model), Parity(len(probes), len(probes), float("nan"), problem)
    parity = compare(models.answer(model, probes), answers, data, threshold)
    return ("onnx", content, parity) if parity.exact else ("skops", to_skops(model), parity)


def evidence(kind: str, parity: Parity) -> Evidence:
    """Say in what format the model is exported, and why: on how many rows ONNX decides otherwise than the model."""
    because = f"as ONNX it would differ on {parity.disagreeing:,} of {parity.rows:,} rows"
    if parity.problem:
        because = f"ONNX cannot hold this model ({parity.problem})"
    elif parity.exact:
        because = f"the same decision as the tested model on all {parity.rows:,} rows"
    said = f"Exported to {kind}: {because}."
    return Evidence(parity.disagreeing, said, data={"format": kind, "parity": asdict(parity)})
