"""Columns of a frame, turned into numbers: categories, and what is missing."""

import numpy as np
from scipy.sparse import issparse
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder


def is_frame(X):
    """Say whether `X` has columns with dtypes of their own, as of pandas or polars."""
    return hasattr(X, "columns") and hasattr(X, "dtypes")


def find_categorical(X, categorical_features):
    """Find out which features are categorical.

    Parameters
    ----------
    X : {array-like, frame} of shape (n_samples, n_features)
        The input data.
    categorical_features : "from_dtype", None or array-like of bool, int or str
        As `HistGradientBoostingClassifier` has it.

    Returns
    -------
    ndarray of bool of shape (n_features,), or None
        None where there are none.

    Raises
    ------
    ValueError
        Where they are not features of `X`.
    """
    if categorical_features is None:
        return None
    if isinstance(categorical_features, str):  # "from_dtype"
        is_categorical = _by_dtype(X) if is_frame(X) else np.zeros(0, bool)
    else:
        is_categorical = _by_choice(X, np.asarray(categorical_features))
    return is_categorical if is_categorical.any() else None


def _by_dtype(X):
    # "category" is pandas', the others are of polars.
    names = ("category", "Categorical", "Enum")
    return np.array([str(dtype).startswith(names) for dtype in X.dtypes], bool)


def _by_choice(X, chosen):
    if chosen.size == 0:
        return np.zeros(0, bool)
    if issparse(X):
        raise ValueError(
            f"categorical_features={chosen.tolist()} needs a dense array or a frame, "
            "got a sparse X. Encode its categories before, or pass None."
        )
    n_features = X.shape[1] if hasattr(X, "shape") else len(X[0])
    is_categorical = np.zeros(n_features, bool)
    if chosen.dtype.kind == "b" and chosen.shape == (n_features,):
        return chosen.copy()
    if chosen.dtype.kind in "iu" and np.isin(chosen, np.arange(n_features)).all():
        is_categorical[chosen] = True
        return is_categorical
    names = list(X.columns) if is_frame(X) else []
    if chosen.dtype.kind in "UO" and all(name in names for name in chosen):
        return np.isin(np.arange(n_features), [names.index(name) for name in chosen])
    columns = f"columns {names}" if names else f"{n_features} features without names"
    raise ValueError(
        f"categorical_features={chosen.tolist()} are not features of X, which has "
        f"{columns}. Allowed are a bool for each feature, numbers from 0 to "
        f"{n_features - 1}, names of columns, 'from_dtype' or None."
    )


class ColumnEncoder:
    """Categories one-hot encoded; missing numbers imputed, with an indicator.

    Numbers come first, then the indicators, then the categories. A missing or
    unseen category is none of those that are known: zeros throughout.

    Parameters
    ----------
    is_categorical : ndarray of bool of shape (n_features,), or None
        Which features are categorical.

    Attributes
    ----------
    n_numbers : int
        So many of the columns that come out are numbers of the input.
    """

    def __init__(self, is_categorical):
        self.is_categorical = is_categorical

    def fit_transform(self, X):
        """Learn what a frame has, and encode it.

        Parameters
        ----------
        X : {array-like, frame} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        ndarray of shape (n_samples, n_encoded)
            Its numbers.
        """
        imputer = SimpleImputer(add_indicator=True, keep_empty_features=True)
        imputer.set_output(transform="default")
        if self.is_categorical is None:
            self.n_numbers = X.shape[1]
            self.encoder = imputer
            return _only_numbers(imputer.fit_transform, X)
        self.n_numbers = int((~self.is_categorical).sum())
        one_hot = OneHotEncoder(
            categories=_categories(X, np.flatnonzero(self.is_categorical)),
            handle_unknown="ignore",
            sparse_output=False,
            dtype=np.float32 if _is_single(X, ~self.is_categorical) else np.float64,
        )
        self.encoder = ColumnTransformer(
            [
                ("numbers", imputer, ~self.is_categorical),
                ("categories", one_hot, self.is_categorical),
            ],
            sparse_threshold=0.0,
        )
        self.encoder.set_output(transform="default")
        return _only_numbers(self.encoder.fit_transform, X)

    def transform(self, X):
        """Encode a frame like the one that was learned from; see `fit_transform`."""
        return _only_numbers(self.encoder.transform, X)

    def by_feature(self, X, derivatives):
        """Arrange derivatives by encoded columns as the features they came from.

        Parameters
        ----------
        X : {array-like, frame} of shape (n_samples, n_features)
            The input data.
        derivatives : ndarray of shape (n_samples, n_encoded, n_outputs)
            By the columns of ``transform(X)``.

        Returns
        -------
        ndarray of shape (n_samples, n_features, n_outputs)
            With nan for categories, and for numbers that are missing.
        """
        import pandas as pd

        n_samples, _, n_outputs = derivatives.shape
        if self.is_categorical is None:
            is_number = np.ones(self.n_numbers, bool)
        else:
            is_number = ~self.is_categorical
        arranged = np.full(
            (n_samples, is_number.size, n_outputs), np.nan, derivatives.dtype
        )
        arranged[:, is_number] = derivatives[:, : self.n_numbers]
        arranged[pd.isna(np.asarray(X))] = np.nan
        return arranged


def _categories(X, columns):
    """List the categories of some columns: those of their dtype, met or not."""
    import pandas as pd

    found = []
    for j in columns:
        column = X[X.columns[j]] if is_frame(X) else np.asarray(X)[:, j]
        if str(column.dtype).startswith(("category", "Enum")):
            categories = column.dtype.categories
        else:
            categories = pd.Categorical(np.asarray(column)).categories
        categories = np.asarray(categories)
        # A level that nothing has, where none is known: encoded as zeros.
        found.append(categories if categories.size else np.zeros(1))
    return [np.sort(c) if c.dtype.kind in "biuf" else c for c in found]


def _others(X):
    """Name the columns of a frame that are neither of numbers nor of categories."""
    if not is_frame(X):
        return ""
    known = ("int", "uint", "float", "bool", "sparse", "categor", "enum")
    others = [
        f"{name!r} ({dtype})"
        for name, dtype in zip(X.columns, X.dtypes)
        if not str(dtype).lower().startswith(known)
    ]
    return f": {', '.join(others)}" if others else ""


def _is_single(X, is_number):
    """Say whether all numbers come in single precision."""
    dtypes = list(X.dtypes) if is_frame(X) else [getattr(X, "dtype", None)]
    if len(dtypes) == len(is_number):
        dtypes = [dtypes[j] for j in np.flatnonzero(is_number)]
    return bool(dtypes) and all(str(dtype).lower() == "float32" for dtype in dtypes)


def _only_numbers(encode, X):
    try:
        encoded = encode(X)
    except (TypeError, ValueError) as error:
        words = ("non-numeric", "convert", "cast")
        if isinstance(error, ValueError) and not any(w in str(error) for w in words):
            raise
        raise ValueError(
            f"X has columns that cannot be read as numbers or categories{_others(X)}. "
            "Give columns of words the dtype 'category', or name them in "
            "categorical_features; categories must be of one kind, words or numbers; "
            f"turn dates into numbers. ({error})"
        ) from error
    return encoded.tocsr() if issparse(encoded) else encoded
