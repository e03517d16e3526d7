"""A feature may look at its own row only: the service scores one case at a time, the training saw thousands."""

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from {{ cookiecutter.package_name }}.features import add_features

FRAME = pd.DataFrame(
{%- include 'frame.txt' %}
    index=[7, 3, 5],
)


def test_rows_keep_their_number_and_order():
    assert list(add_features(FRAME).index) == list(FRAME.index)


def test_something_is_added_and_the_input_is_left_alone():
    before = FRAME.copy(deep=True)
    assert set(add_features(FRAME).columns) - set(FRAME.columns)
    assert_frame_equal(FRAME, before)


@pytest.mark.parametrize("row", range(len(FRAME)))
def test_a_row_alone_gets_the_same_values_as_in_the_table(row):
    assert_frame_equal(add_features(FRAME.iloc[[row]]), add_features(FRAME).iloc[[row]], check_dtype=False)


def test_blank_values_do_not_crash():
    blank = pd.DataFrame(None, index=FRAME.index, columns=FRAME.columns)
    assert len(add_features(blank)) == len(blank)
