{%- if cookiecutter.data_source == 'demo' -%}
{{ canonical('src/lab2live/demo/features.py') -}}
{% else -%}
"""Columns derived from the table, row by row. Yours to edit: the model sees whatever this function adds."""

import pandas as pd

{% set inputs = columns(cookiecutter) -%}
{% if inputs -%}
# The columns a case is described by. Left out, and to be left out: the target
{%- if cookiecutter.id_column %}, the identifier{% endif %}
{%- if cookiecutter.time_column %}, the time of recording{% endif %}.
{%- if not cookiecutter.id_column %}
# A column that names the case does not belong here either.
{%- endif %}
INPUTS = {{ inputs | python_tuple }}
{%- else -%}
# The columns that are no inputs: a feature made from the target would know the answer.
NOT_INPUTS = {{ not_inputs(cookiecutter) | python_tuple }}
{%- endif %}


def add_features(frame: pd.DataFrame) -> pd.DataFrame:
    """Add derived columns.

    Every row is computed from itself alone, so that one case scored by the service gets the same values as in a
    table of thousands. Rows are never dropped or reordered.

    Parameters
    ----------
    frame
        The table, one row per case.

    Returns
    -------
    pandas.DataFrame
        A copy with more columns and the same rows.
    """
{%- if inputs %}
    answers = frame[[column for column in INPUTS if column in frame]]
{%- else %}
    answers = frame.drop(columns=[column for column in NOT_INPUTS if column in frame])
{%- endif %}
    # A worked example: how much is known about a case often says something in itself.
    return frame.assign(missing_answers=answers.isna().sum(axis="columns"))
{% endif -%}
