"""Signal: what is planted is found, noise is called noise, and what cannot be said is not said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab2live.charter.gates import judge
from lab2live.charter.schema import Charter
from lab2live.data import dataset
from lab2live.data.dataset import Dataset
from lab2live.eda.signal import carriers, growth, permutation, quick
from lab2live.reporting import plots

Generating = Callable[..., tuple[Charter, Dataset]]


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_signal_is_found_by_the_linear_model(generate: Generating, kind: str) -> None:
    found = permutation.is_any(*generate(kind, 400), permutations=199)
    assert found.evidence.value == pytest.approx(2 / 200)
    assert found.model == "a linear model"
    assert found.score > max(found.shuffled)
    assert found.rows == 400
    assert found.evidence.data["signal"]["p"] == found.p and found.evidence.figure is not None
    assert found.evidence.data["signal"]["p"] == found.p and found.evidence.figure is not None


def test_signal_in_pairs_of_columns_is_found_where_the_linear_model_sees_none(generate: Generating) -> None:
    found = permutation.is_any(*generate("xor", 400), permutations=199)
    assert found.p == pytest.approx(2 / 200)
    assert found.model == "a model of pairs of columns"
    assert "know something about the outcome" in found.evidence.message


def test_noise_has_a_p_value_that_is_no_evidence_and_a_sentence_that_says_so(generate: Generating) -> None:
    levels = [permutation.is_any(*generate("noise", 200, seed), seed, permutations=99).p or 0 for seed in range(12)]
    assert np.mean(np.array(levels) < 0.1) <= 0.25
    assert max(levels) > 0.5
    assert "not sure" in permutation.is_any(*generate("noise", 200, 0), permutations=99).evidence.message


def test_a_score_beyond_all_reason_is_written_in_few_digits() -> None:
    found = permutation.Signal(0.5, -1277143796946.5, (-3.5e27,), "linear", "R2", 100)
    said = found.evidence.message
    assert "scores −1,277,143,796,946 on" in said and "shuffled 1 time −3.5e+27 at best" in said


def test_the_gate_passes_on_signal_and_fails_on_noise(generate: Generating) -> None:
    found = permutation.is_any(*generate("binary", 400), permutations=199)
    noise = permutation.is_any(*generate("noise", 200, 0), permutations=99)
    assert judge("eda.signal", found.evidence.value, "").status == "pass"
    assert judge("eda.signal", noise.evidence.value, "").status == "fail"


def test_a_group_known_by_its_column_is_no_signal(charter_of: Callable[..., Charter]) -> None:
    """Column and outcome are constant within few groups: shuffled row by row, they would seem to go together."""
    levels = []
    for seed in range(10):
        random = np.random.default_rng(seed)
        group = np.repeat(np.arange(20), 30)
        frame = pd.DataFrame({"g": group, "x": random.normal(size=20)[group] + 1e-3 * random.normal(size=600)}).assign(
            y=np.where(random.permutation(20)[group] < 10, "a", "b")
        )
        charter = charter_of(prediction={"group_column": "g"})
        level = permutation.is_any(charter, dataset.dataset(charter, frame), seed, permutations=99).p
        levels.append(1.0 if level is None else level)
    assert np.mean(np.array(levels) < 0.05) <= 0.2


def test_a_rare_class_is_kept_whole_in_the_sample(charter_of: Callable[..., Charter]) -> None:
    random = np.random.default_rng(0)
    rare = np.arange(20_000) < 100
    frame = pd.DataFrame({"x": random.normal(size=20_000) + 0.8 * rare, "z": random.normal(size=20_000), "y": rare})
    charter = charter_of(prediction={"positive_class": True})
    data = dataset.dataset(charter, frame)
    assert quick.balanced(charter, data, 2000, 0).outcome.sum() == 100
    assert quick.drawn(charter, data, 2000, 0).outcome.sum() < 30
    assert permutation.is_any(charter, data, permutations=199).p == pytest.approx(0.01)


def test_time_and_groups_decide_the_folds(charter_of: Callable[..., Charter], generate: Generating) -> None:
    _, data = generate("binary", 600)
    frame = data.raw.assign(when=pd.date_range("2024-01-01", periods=600), y=data.outcome)
    timed = charter_of(prediction={"time_column": "when"})
    assert permutation.is_any(timed, dataset.dataset(timed, frame), permutations=199).p == pytest.approx(0.01)
    assert growth.more_rows(timed, dataset.dataset(timed, frame)).gain is not None


@pytest.mark.parametrize(
    ("rows", "groups", "why"), [(12, None, "too few cases"), (200, 3, "too few groups to shuffle: 3")]
)
def test_too_little_to_say_is_said(charter_of: Callable[..., Charter], rows: int, groups: int | None, why: str) -> None:
    random = np.random.default_rng(1)
    frame = pd.DataFrame({"x": random.normal(size=rows), "y": np.arange(rows) % 6 == 0})
    charter = charter_of(prediction={"group_column": "g"} if groups else {})
    data = dataset.dataset(charter, frame.assign(g=np.arange(rows) % groups) if groups else frame)
    found = permutation.is_any(charter, data)
    assert found.evidence.value is None
    assert why in found.evidence.message
    assert plots.png(found.figure())


def test_a_second_run_says_the_same(generate: Generating) -> None:
    charter, data = generate("binary", 300)
    assert permutation.is_any(charter, data, 3, 99) == permutation.is_any(charter, data, 3, 99)
    assert carriers.carriers(charter, data, 3) == carriers.carriers(charter, data, 3)
    assert growth.more_rows(charter, data, 3) == growth.more_rows(charter, data, 3)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_columns_that_carry_are_told_from_noise(generate: Generating, kind: str) -> None:
    found = carriers.carriers(*generate(kind, 1500))
    verdicts = {carrier.column: carrier.verdict for carrier in found.columns}
    assert verdicts["x1"] == verdicts["x2"] == verdicts["colour"] == "carries"
    assert verdicts["x3"] != "carries"
    assert found.columns[0].column == "x1"
    assert "3 of 4 columns carry the signal, first x1" in found.sentence
    assert list(found.table().columns) == ["column", "adds to the score", "lowest", "highest", "verdict"]
    assert "x1" in plots.alt(found.figure())


def test_columns_that_only_tell_together_carry(generate: Generating) -> None:
    found = {carrier.column: carrier.verdict for carrier in carriers.carriers(*generate("xor", 1500)).columns}
    assert [name for name, verdict in found.items() if verdict == "carries"] == ["x1", "x2"]


def test_nothing_carries_in_noise(generate: Generating) -> None:
    carrying = [
        carrier.column
        for seed in range(3)
        for carrier in carriers.carriers(*generate("noise", 400, seed), seed).columns
        if carrier.verdict == "carries"
    ]
    assert not carrying


def test_too_few_cases_have_no_carriers(charter_of: Callable[..., Charter]) -> None:
    charter = charter_of()
    found = carriers.carriers(charter, dataset.dataset(charter, pd.DataFrame({"x": range(8), "y": list("aaaaaaab")})))
    assert not found.columns
    assert "cannot be said" in found.sentence
    assert plots.png(found.figure())
    assert found.table().empty


def test_a_law_is_recovered_from_its_curve() -> None:
    sizes = np.array([100, 200, 400, 800, 1600])
    scores = 0.9 - 2.0 * sizes**-0.5
    found = growth.extended(sizes, np.array([scores, np.full(5, 0.7), scores[::-1]]), 6400)
    assert found[0] == pytest.approx(0.9 - 2.0 * 6400**-0.5, abs=1e-3)
    assert found[1] == pytest.approx(0.7)
    assert found[2] == pytest.approx(float(np.average(scores[::-1], weights=sizes)))  # a falling curve is flat


def test_more_rows_hardly_help_a_simple_problem_and_help_a_hard_one(charter_of: Callable[..., Charter]) -> None:
    def grown(rows: int, columns: int) -> growth.Growth:
        random = np.random.default_rng(0)
        table = random.normal(size=(rows, columns))
        margin = table @ random.normal(size=columns) * 1.5 / np.sqrt(columns)
        frame = (
            pd.DataFrame(table).rename(columns="x{}".format).assign(y=random.random(rows) < 1 / (1 + np.exp(-margin)))
        )
        charter = charter_of(prediction={"positive_class": True})
        return growth.more_rows(charter, dataset.dataset(charter, frame))

    easy, hard = grown(3000, 2), grown(400, 40)
    assert easy.gain is not None
    assert easy.gain < growth.WORTH
    assert easy.evidence.data["growth"]["gain"] == easy.gain and easy.evidence.figure is not None
    assert easy.evidence.data["growth"]["gain"] == easy.gain and easy.evidence.figure is not None
    assert "would hardly help" in easy.evidence.message
    assert hard.gain is not None
    assert hard.gain > growth.WORTH
    assert "would help" in hard.evidence.message
    assert hard.four_times[1] <= hard.four_times[0] <= hard.four_times[2]
    assert hard.table()["known"].tolist() == ["seen"] * len(hard.sizes) + ["expected"] * 2
    assert "(expected)" in plots.alt(hard.figure())


@pytest.mark.parametrize(
    ("kind", "rows", "why"), [("binary", 60, "Too few cases"), ("noise", 600, "hardly any signal")]
)
def test_a_curve_that_leads_nowhere_is_not_extended(generate: Generating, kind: str, rows: int, why: str) -> None:
    found = growth.more_rows(*generate(kind, rows))
    assert found.evidence.value is None
    assert why in found.evidence.message
    assert plots.png(found.figure())
    assert isinstance(found.table(), pd.DataFrame)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_scores_agree_with_those_of_scikit_learn(generate: Generating, kind: str) -> None:
    from sklearn import metrics

    _, data = generate(kind, 300)
    data = quick.as_ranks(data)
    known = quick.truth(data)
    answers = np.random.default_rng(0).normal(size=known.shape).round(1) + known
    want: Any = metrics.roc_auc_score if data.classes else metrics.r2_score
    assert quick.skills(data, known, answers) == pytest.approx(
        [want(known[:, k], answers[:, k]) for k in range(known.shape[1])]
    )


def test_labels_of_carriers_are_short_and_clear_of_the_line() -> None:
    sizes = {"contract": 0.1064, "tickets": 0.0422, "signup": 0.0054, "tariff": 0.000608, "region": -0.0000436}
    columns = [
        carriers.Carrier(name, size, size - 0.004, size + abs(size) / 4, 0.9, "carries") for name, size in sizes.items()
    ]
    figure = carriers.Carriers(tuple(columns), 0.00216, "ROC AUC").figure()
    (axes,) = figure.axes
    texts = [text for text in axes.texts if "copy" not in text.get_text()]
    assert [text.get_text() for text in texts] == ["0.106", "0.042", "0.005", "0.001", "0.000"]
    assert "region 0.000 (−0.004 to 0.000)" in plots.alt(figure) and "0.0000436" not in plots.alt(figure)
    plots.png(figure)
    boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place])
    line = axes.transData.transform((0.00216, 0))[0]
    assert all(text.get_window_extent().x0 > line for text in texts)
    assert all(text.get_window_extent().x1 <= figure.bbox.x1 for text in texts)
