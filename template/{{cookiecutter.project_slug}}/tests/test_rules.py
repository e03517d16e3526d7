"""The rule is the baseline and the fallback: it answers every row, whatever is missing, without looking at other rows."""

import numpy as np
import pandas as pd
import pytest

from {{ cookiecutter.package_name }}.features import add_features
from {{ cookiecutter.package_name }}.rules import score

FRAME = pd.DataFrame(
{%- include 'frame.txt' %}
)


def answers(frame):
    return np.asarray(score(add_features(frame)))


def test_every_row_gets_an_answer():
    assert answers(FRAME).shape == (len(FRAME),)
    assert not pd.isna(answers(FRAME)).any()


@pytest.mark.parametrize("row", range(len(FRAME)))
def test_a_row_alone_gets_the_same_answer_as_in_the_table(row):
    assert answers(FRAME.iloc[[row]])[0] == answers(FRAME)[row]


def test_blank_values_are_answered_too():
    blank = pd.DataFrame(None, index=FRAME.index, columns=FRAME.columns)
    assert not pd.isna(answers(blank)).any()
