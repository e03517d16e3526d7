"""Models of your own. They are compared beside the built-in ones, and may win."""

from typing import Any

from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder


def candidates(seed: int) -> dict[str, Any]:
    """Give unfitted estimators by name.

    Each takes the frame with the original columns and those of `features.py`: numbers as float or int, text as object
    with None where it is missing, booleans as bool or object, dates as datetime64.

    Parameters
    ----------
    seed
        For whatever an estimator draws at random, so that a run can be repeated.

    Returns
    -------
    dict
        Name -> scikit-learn estimator or pipeline; LightGBM and others that behave like one will do, too.
    """
    text = make_column_selector(dtype_include=["object", "bool"])
    numbers = make_column_selector(dtype_include="number")
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
    prepared = make_column_transformer((codes, text), (SimpleImputer(strategy="median"), numbers))
    trees = ExtraTreesClassifier(n_estimators=100, min_samples_leaf=5, random_state=seed)
    return {"extra trees": make_pipeline(prepared, trees)}
