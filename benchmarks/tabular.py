"""Tables, models at their defaults, and how well one of these learns one of those."""

import warnings
from functools import partial
from time import perf_counter
from typing import NamedTuple

import pandas as pd
from pandas.api.types import is_numeric_dtype
from sklearn.compose import (
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
)
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.metrics import (
    accuracy_score,
    log_loss,
    r2_score,
    root_mean_squared_error,
)
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from skbackprop import BackpropClassifier, BackpropRegressor

BUNDLED = {
    "iris": load_iris,
    "wine": load_wine,
    "breast_cancer": load_breast_cancer,
    "digits": load_digits,
    "diabetes": load_diabetes,
}

#: Whole numbers of more distinct values than this are amounts, not classes.
MOST_CLASSES = 20


class Table(NamedTuple):
    """One table.

    Parameters
    ----------
    name : str
        By which it is chosen on the command line.
    task : {"classification", "regression"}
        What its target asks for.
    X : DataFrame
        Columns of text are of dtype "category", missing cells are NaN.
    y : Series
        The target.
    """

    name: str
    task: str
    X: pd.DataFrame
    y: pd.Series


def task_of(target):
    """Tell classes from amounts.

    Classes are text, or whole numbers of at most `MOST_CLASSES` distinct values.
    """
    if not is_numeric_dtype(target):
        return "classification"
    is_whole = (target % 1 == 0).all()
    few = target.nunique() <= MOST_CLASSES
    return "classification" if is_whole and few else "regression"


def read_table(path):
    """Read a gzipped CSV file, in which empty cells, and no others, are missing."""
    frame = pd.read_csv(path, keep_default_na=False, na_values=[""])
    y = frame.pop("target")
    text = frame.select_dtypes(exclude=["number", "bool"]).columns
    X = frame.astype(dict.fromkeys(text, "category"))
    return Table(path.name.removesuffix(".csv.gz"), task_of(y), X, y)


def bundled_table(name):
    """Return a table that comes with scikit-learn."""
    X, y = BUNDLED[name](return_X_y=True, as_frame=True)
    return Table(name, task_of(y), X, y)


def encoder(*scaler):
    """Make columns for models that take numbers only.

    Missing numbers become the mean; a missing category is a category of its own.
    With a `StandardScaler` numbers are scaled, and the zeros and ones of categories
    are not, as one writes it.
    """
    categories = make_column_selector(dtype_include="category")
    numbers = make_column_selector(dtype_exclude="category")
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_column_transformer(
        (make_pipeline(SimpleImputer(), *scaler), numbers), (one_hot, categories)
    )


def classifiers(seed):
    """Return all that take part in classification, by their names."""
    backprop = partial(BackpropClassifier, random_state=seed)
    mlp = MLPClassifier(random_state=seed)
    forest = RandomForestClassifier(random_state=seed)

    def scaled(network):
        return make_pipeline(encoder(StandardScaler()), network)

    return {
        "backprop": backprop(),
        "backprop-log-loss": backprop(loss="log_loss"),
        "backprop-early": backprop(early_stopping=True),
        "backprop-log-loss-early": backprop(loss="log_loss", early_stopping=True),
        "backprop-pipeline": scaled(backprop(standardize=False)),
        "backprop-log-loss-pipeline": scaled(
            backprop(loss="log_loss", standardize=False)
        ),
        "mlp": make_pipeline(encoder(), mlp),
        "mlp-pipeline": scaled(mlp),
        "hist-gradient-boosting": HistGradientBoostingClassifier(random_state=seed),
        "random-forest": make_pipeline(encoder(), forest),
    }


def regressors(seed):
    """Return all that take part in regression, by their names.

    In a pipeline the target is scaled, too.
    """
    backprop = partial(BackpropRegressor, random_state=seed)
    mlp = MLPRegressor(random_state=seed)
    forest = RandomForestRegressor(random_state=seed)

    def scaled(network):
        pipeline = make_pipeline(encoder(StandardScaler()), network)
        return TransformedTargetRegressor(pipeline, transformer=StandardScaler())

    return {
        "backprop": backprop(),
        "backprop-early": backprop(early_stopping=True),
        "backprop-pipeline": scaled(backprop(standardize=False)),
        "mlp": make_pipeline(encoder(), mlp),
        "mlp-pipeline": scaled(mlp),
        "hist-gradient-boosting": HistGradientBoostingRegressor(random_state=seed),
        "random-forest": make_pipeline(encoder(), forest),
    }


CONTESTANTS = {"classification": classifiers, "regression": regressors}


def class_scores(model, X, y):
    """Score predicted classes and their probabilities."""
    return {
        "accuracy": accuracy_score(y, model.predict(X)),
        "log_loss": log_loss(y, model.predict_proba(X), labels=model.classes_),
    }


def amount_scores(model, X, y):
    """Score predicted amounts; an NRMSE of 1 is that of always saying the mean."""
    predicted = model.predict(X)
    return {
        "r2": r2_score(y, predicted),
        "nrmse": root_mean_squared_error(y, predicted) / y.std(ddof=0),
    }


def fit_and_score(table, contestant, seed):
    """Fit on three quarters of the rows, and score on the others."""
    classes = table.task == "classification"
    X_train, X_test, y_train, y_test = train_test_split(
        table.X, table.y, random_state=seed, stratify=table.y if classes else None
    )
    model = CONTESTANTS[table.task](seed)[contestant]
    start = perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X_train, y_train)
    seconds = perf_counter() - start
    score = class_scores if classes else amount_scores
    return {**score(model, X_test, y_test), "seconds": seconds}


# Workers share the cores: with threads of BLAS in each they would wait for each other.
@threadpool_limits.wrap(limits=1)
def measure(table, contestant, seed):
    """Measure one contestant on one split of one table.

    Parameters
    ----------
    table : Table
        The rows.
    contestant : str
        A name out of `CONTESTANTS`.
    seed : int
        Of the split and of the model.

    Returns
    -------
    dict
        The arguments and what was measured.

    Raises
    ------
    RuntimeError
        Where the fit or the prediction failed; the message says whose.
    """
    try:
        measured = fit_and_score(table, contestant, seed)
    except Exception as error:
        raise RuntimeError(
            f"{contestant} failed on {table.name}, seed {seed}: {error}"
        ) from error
    names = {"table": table.name, "task": table.task, "contestant": contestant}
    return {**names, "seed": seed, **measured}
