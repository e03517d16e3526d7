{% set found = rule(cookiecutter) if cookiecutter.data_source != 'demo' else none -%}
{% set share = cookiecutter.problem_type == 'classification' and (not found or found.kind == 'share') -%}
{% if cookiecutter.data_source == 'demo' -%}
{{ canonical('src/lab2live/demo/rules.py') -}}
{% else -%}
"""The business rule of today: the baseline that a model must beat, and the answer when the model cannot be used."""

import numpy as np
import pandas as pd

# As long as this is True, pages call the rule a generated example. Remove the line once `score` is what is done today.
EXAMPLE = True

{% if found and cookiecutter.data_source == 'simulate' -%}
# A worked example that fits the simulated columns. Replace it by the rule that is used today.
{% elif found -%}
# A worked example, picked from a sample of the rows: of all numeric columns, the one whose upper and lower half differ
# most in the target. Replace it by the rule that is used today.
{% endif -%}
{% if found -%}
COLUMN = {{ found.column | python }}
SPLIT = {{ found.split }}
# What to answer above the split, up to it, and where the value is missing: {{ {
  'share': 'the share of the positive class there.', 'mean': 'the mean of the target there.',
  'label': 'the most frequent class there.'}[found.kind] }}
{%- for name in ('above', 'below', 'missing') %}
{{ name | upper }} = {{ found[name] | python if found[name] is string else found[name] }}
{%- endfor %}
{%- else -%}
# No rule has been stated yet, so every case gets the same answer. Replace it by the rule that is used today.
ALWAYS = {{ '0.5' if share else '0.0' }}
{%- endif %}


def score(frame: pd.DataFrame) -> np.ndarray:
    """Answer every case the way it is done today, without a model.

    Parameters
    ----------
    frame
        The table with the columns of `features.add_features`.

    Returns
    -------
    numpy.ndarray
{%- if share %}
        One number per row between 0 and 1, the higher the more likely positive. Never NaN: a fallback has to answer.
{%- elif cookiecutter.problem_type == 'classification' %}
        One class per row. Never a missing value: a fallback has to answer.
{%- else %}
        One number per row, in the unit of the target. Never NaN: a fallback has to answer.
{%- endif %}
    """
{%- if found %}
    values = pd.to_numeric(frame[COLUMN], errors="coerce").to_numpy(dtype=float)
    return np.where(np.isnan(values), MISSING, np.where(values > SPLIT, ABOVE, BELOW))
{%- else %}
    return np.full(len(frame), ALWAYS)
{%- endif %}
{% endif -%}
