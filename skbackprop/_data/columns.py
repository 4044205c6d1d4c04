"""Columns of a frame, turned into numbers: categories, and what is missing."""

import numpy as np
from scipy.sparse import issparse
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _get_feature_names


def is_dataframe(X):
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
        is_categorical = _by_dtype(X) if is_dataframe(X) else np.zeros(0, bool)
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
    names = list(X.columns) if is_dataframe(X) else []
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
    is_number : ndarray of bool of shape (n_features,)
        Which features are not.
    n_numbers : int
        So many of the columns that come out are numbers of the input.
    imputer : SimpleImputer
        Of the numbers; fitted if there are any.
    one_hot : OneHotEncoder
        Of the categories; fitted if there are any.
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
        levels, dtype = [], np.float64
        if self.is_categorical is not None:
            levels = _categories(X, np.flatnonzero(self.is_categorical))
            dtype = np.float32 if is_float32(X, ~self.is_categorical) else np.float64
        self._make(X.shape[1], levels, dtype)
        self.names = _get_feature_names(X)
        return encode_or_raise(self._fit_transform, X)

    def learn(self, means, has_gaps, levels=(), dtype="float64", names=None):
        """Learn from what is known of data, in the place of the data.

        Files keep this much, which outlasts any release of scikit-learn; and data
        that come in parts can be gone through part by part.

        Parameters
        ----------
        means : ndarray of shape (n_numbers,)
            The mean of each number where it is there; 0 where it never is.
        has_gaps : ndarray of bool of shape (n_numbers,)
            Which numbers are missing somewhere.
        levels : sequence of ndarray, default=()
            The categories of each categorical feature in order, in the dtype in
            which they come: numbers sorted, of object where some are missing.
        dtype : {"float64", "float32"}, default="float64"
            Of what categories are turned into.
        names : ndarray of str of shape (n_features,), default=None
            Of the features; None where they have none.

        Returns
        -------
        self : ColumnEncoder
        """
        import pandas as pd

        n_features = len(means) + len(levels)
        self._make(n_features, levels, np.dtype(dtype).type)
        numbers = iter(np.where(has_gaps, np.nan, 0.0))
        categories = iter(levels)
        # Two rows: what is there, and what may be missing.
        columns = [
            np.array([0.0, next(numbers)]) if is_number else next(categories)[[0, 0]]
            for is_number in self.is_number
        ]
        if any(level.dtype.kind == "S" for level in levels):
            sketch = np.column_stack(columns)  # pandas has no bytes
        else:
            series = [pd.Series(column, dtype=column.dtype) for column in columns]
            sketch = pd.concat(series, axis=1, keys=range(n_features))
        self.names = names
        self._fit_transform(sketch if names is None else sketch.set_axis(names, axis=1))
        if self.n_numbers:
            self.imputer.statistics_ = np.asarray(means, float)
        return self

    def _make(self, n_features, levels, dtype):
        """Make what has yet to be fitted."""
        everywhere = np.ones(n_features, bool)
        categorical = self.is_categorical
        self.is_number = everywhere if categorical is None else ~categorical
        self.n_numbers = int(self.is_number.sum())
        self.imputer = SimpleImputer(add_indicator=True, keep_empty_features=True)
        self.one_hot = OneHotEncoder(
            categories=levels, handle_unknown="ignore", sparse_output=False, dtype=dtype
        )
        for encoder in (self.imputer, self.one_hot):
            encoder.set_output(transform="default")

    # Without a ColumnTransformer, which starts joblib for every single row.
    def _fit_transform(self, X):
        return self._joined(
            [encoder.fit_transform(part) for encoder, part in self._cut(X)]
        )

    def _transform(self, X):
        return self._joined([encoder.transform(part) for encoder, part in self._cut(X)])

    def _cut(self, X):
        """Pair the encoders with their columns, where they have any."""
        if self.is_categorical is None:
            return [(self.imputer, X)]
        pairs = [(self.one_hot, _safe_indexing(X, self.is_categorical, axis=1))]
        if self.n_numbers:
            pairs.insert(0, (self.imputer, _safe_indexing(X, self.is_number, axis=1)))
        return pairs

    def _joined(self, parts):
        if len(parts) == 1:
            return parts[0]
        return np.hstack([p.toarray() if issparse(p) else p for p in parts])

    # scikit-learn's own objects may mean something else to its next release.
    def __getstate__(self):
        state = {
            "is_categorical": self.is_categorical,
            "means": np.zeros(self.n_numbers),
            "has_gaps": np.zeros(self.n_numbers, bool),
            "levels": [],
            "dtype": "float64",
            "names": self.names,
        }
        if self.n_numbers:  # else nothing has been fitted to them
            # Since scikit-learn 1.9 these are rounded to the dtype of the data.
            dtype = getattr(self.imputer, "_fill_dtype", float)
            state["means"] = self.imputer.statistics_.astype(dtype).astype(float)
            state["has_gaps"][self.imputer.indicator_.features_] = True
        if self.is_categorical is not None:
            state["levels"] = self.one_hot.categories_
            state["dtype"] = np.dtype(self.one_hot.dtype).name
        return state

    def __setstate__(self, state):
        self.is_categorical = state["is_categorical"]
        learned = ("means", "has_gaps", "levels", "dtype", "names")
        self.learn(*(state[name] for name in learned))

    def transform(self, X):
        """Encode a frame like the one that was learned from; see `fit_transform`."""
        return encode_or_raise(self._transform, X)

    def to_feature_gradients(self, X, derivatives):
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
        arranged = np.full(
            (n_samples, self.is_number.size, n_outputs), np.nan, derivatives.dtype
        )
        arranged[:, self.is_number] = derivatives[:, : self.n_numbers]
        arranged[pd.isna(np.asarray(X))] = np.nan
        return arranged


def _categories(X, columns):
    """List the categories of some columns: those of their dtype, met or not."""
    return [known_levels(levels_of(column_of(X, j))) for j in columns]


def column_of(X, j):
    """Return a column of a frame or an array."""
    return X[X.columns[j]] if is_dataframe(X) else np.asarray(X)[:, j]


def levels_of(column):
    """List the categories of a column: those of its dtype, else those it has."""
    import pandas as pd

    if str(column.dtype).startswith(("category", "Enum")):
        return np.asarray(column.dtype.categories)
    return np.asarray(pd.Categorical(np.asarray(column)).categories)


def known_levels(levels):
    """Return levels as they are encoded: sorted if numbers, and one at least."""
    # A level that nothing has, where none is known: encoded as zeros.
    levels = levels if levels.size else np.zeros(1)
    return np.sort(levels) if levels.dtype.kind in "biuf" else levels


def _others(X):
    """Name the columns of a frame that are neither of numbers nor of categories."""
    if not is_dataframe(X):
        return ""
    known = ("int", "uint", "float", "bool", "sparse", "categor", "enum")
    others = [
        f"{name!r} ({dtype})"
        for name, dtype in zip(X.columns, X.dtypes)
        if not str(dtype).lower().startswith(known)
    ]
    return f": {', '.join(others)}" if others else ""


def is_float32(X, is_number):
    """Say whether all numbers come in single precision."""
    dtypes = list(X.dtypes) if is_dataframe(X) else [getattr(X, "dtype", None)]
    if len(dtypes) == len(is_number):
        dtypes = [dtypes[j] for j in np.flatnonzero(is_number)]
    return bool(dtypes) and all(str(dtype).lower() == "float32" for dtype in dtypes)


def encode_or_raise(encode, X):
    """Return what a frame is encoded as; where it can't be, say which columns."""
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
