"""Datasets and models of the accuracy benchmark, and a function to score them."""

import warnings
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

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
    root_mean_squared_error,
)
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from skbackprop import (
    BackpropClassifier,
    BackpropEnsembleClassifier,
    BackpropEnsembleRegressor,
    BackpropRegressor,
)

from .boosting import make_bagged_lightgbm, make_catboost, make_lightgbm

BUNDLED = {
    "iris": load_iris,
    "wine": load_wine,
    "breast_cancer": load_breast_cancer,
    "digits": load_digits,
    "diabetes": load_diabetes,
}

#: Integer targets with more distinct values than this are regression targets.
MAX_CLASSES = 20


class Dataset(NamedTuple):
    """Features and target of one dataset.

    Parameters
    ----------
    name : str
        Name of the dataset on the command line.
    task : {"classification", "regression"}
        Type of the target.
    X : DataFrame
        Features. String columns have dtype "category", and missing values are NaN.
    y : Series
        Target.
    """

    name: str
    task: str
    X: pd.DataFrame
    y: pd.Series


class Fit(NamedTuple):
    """One fit to measure.

    Parameters
    ----------
    dataset : Dataset
        Data to split into training and test rows.
    competitor : str
        Name of the model.
    seed : int
        Random state of the split and of the model.
    model : estimator
        Unfitted model.
    """

    dataset: Dataset
    competitor: str
    seed: int
    model: Any

    @property
    def key(self):
        """Unique key of the measurement."""
        return self.dataset.name, self.competitor, self.seed


def infer_task(target):
    """Return "classification" or "regression".

    A target contains classes if it consists of strings, or of whole numbers with at
    most `MAX_CLASSES` distinct values.
    """
    if not is_numeric_dtype(target):
        return "classification"
    is_integer = (target % 1 == 0).all()
    has_few_values = target.nunique() <= MAX_CLASSES
    return "classification" if is_integer and has_few_values else "regression"


def read_dataset(path):
    """Read a gzipped CSV file. Only empty cells are missing values."""
    frame = pd.read_csv(path, keep_default_na=False, na_values=[""])
    y = frame.pop("target")
    categorical = frame.select_dtypes(exclude=["number", "bool"]).columns
    X = frame.astype(dict.fromkeys(categorical, "category"))
    return Dataset(path.name.removesuffix(".csv.gz"), infer_task(y), X, y)


def load_bundled(name):
    """Load a dataset that is included in scikit-learn."""
    X, y = BUNDLED[name](return_X_y=True, as_frame=True)
    return Dataset(name, infer_task(y), X, y)


def make_encoder(*scaler):
    """Make a preprocessor for models that require numeric input.

    Missing numeric values are imputed with the mean. A missing category is encoded as
    a separate category. If a `StandardScaler` is passed, it scales the numeric columns
    but not the one-hot encoded columns.
    """
    categorical = make_column_selector(dtype_include="category")
    numeric = make_column_selector(dtype_exclude="category")
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_column_transformer(
        (make_pipeline(SimpleImputer(), *scaler), numeric), (one_hot, categorical)
    )


def scale_classifier(network):
    """Make a pipeline that encodes categories and scales numeric columns."""
    return make_pipeline(make_encoder(StandardScaler()), network)


def scale_regressor(network):
    """Make a pipeline as `scale_classifier` does; it also scales the target."""
    pipeline = make_pipeline(make_encoder(StandardScaler()), network)
    return TransformedTargetRegressor(pipeline, transformer=StandardScaler())


def encode(model):
    """Make a pipeline that encodes categories and imputes missing values."""
    return make_pipeline(make_encoder(), model)


#: Functions that make each classifier from a seed.
CLASSIFIERS = {
    "ensemble": lambda seed: BackpropEnsembleClassifier(random_state=seed),
    "backprop": lambda seed: BackpropClassifier(random_state=seed),
    "backprop-log-loss": lambda seed: BackpropClassifier(
        loss="log_loss", random_state=seed
    ),
    "backprop-early": lambda seed: BackpropClassifier(
        early_stopping=True, random_state=seed
    ),
    "backprop-log-loss-early": lambda seed: BackpropClassifier(
        loss="log_loss", early_stopping=True, random_state=seed
    ),
    "backprop-pipeline": lambda seed: scale_classifier(
        BackpropClassifier(standardize=False, random_state=seed)
    ),
    "backprop-log-loss-pipeline": lambda seed: scale_classifier(
        BackpropClassifier(loss="log_loss", standardize=False, random_state=seed)
    ),
    "mlp": lambda seed: encode(MLPClassifier(random_state=seed)),
    "mlp-pipeline": lambda seed: scale_classifier(MLPClassifier(random_state=seed)),
    "hist-gradient-boosting": lambda seed: HistGradientBoostingClassifier(
        random_state=seed
    ),
    "random-forest": lambda seed: encode(RandomForestClassifier(random_state=seed)),
    "lightgbm": partial(make_lightgbm, "classification"),
    "lightgbm-bagged": partial(make_bagged_lightgbm, "classification"),
    "catboost": partial(make_catboost, "classification"),
}

#: Functions that make each regressor from a seed.
REGRESSORS = {
    "ensemble": lambda seed: BackpropEnsembleRegressor(random_state=seed),
    "backprop": lambda seed: BackpropRegressor(random_state=seed),
    "backprop-early": lambda seed: BackpropRegressor(
        early_stopping=True, random_state=seed
    ),
    "backprop-pipeline": lambda seed: scale_regressor(
        BackpropRegressor(standardize=False, random_state=seed)
    ),
    "mlp": lambda seed: encode(MLPRegressor(random_state=seed)),
    "mlp-pipeline": lambda seed: scale_regressor(MLPRegressor(random_state=seed)),
    "hist-gradient-boosting": lambda seed: HistGradientBoostingRegressor(
        random_state=seed
    ),
    "random-forest": lambda seed: encode(RandomForestRegressor(random_state=seed)),
    "lightgbm": partial(make_lightgbm, "regression"),
    "lightgbm-bagged": partial(make_bagged_lightgbm, "regression"),
    "catboost": partial(make_catboost, "regression"),
}

COMPETITORS = {"classification": CLASSIFIERS, "regression": REGRESSORS}


def classification_scores(model, X, y):
    """Return the accuracy and the log-loss of a classifier."""
    return {
        "accuracy": accuracy_score(y, model.predict(X)),
        "log_loss": log_loss(y, model.predict_proba(X), labels=model.classes_),
    }


def regression_scores(model, X, y):
    """Return the RMSE divided by the standard deviation of the target."""
    error = root_mean_squared_error(y, model.predict(X))
    return {"nrmse": error / y.std(ddof=0)}


def fit_and_score(fit):
    """Fit a model to three quarters of the rows and score it on the other rows."""
    dataset, _, seed, model = fit
    is_classification = dataset.task == "classification"
    X_train, X_test, y_train, y_test = train_test_split(
        dataset.X,
        dataset.y,
        random_state=seed,
        stratify=dataset.y if is_classification else None,
    )
    start = perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X_train, y_train)
    seconds = perf_counter() - start
    score = classification_scores if is_classification else regression_scores
    return {**score(model, X_test, y_test), "seconds": seconds}


# The workers share the cores, so more than one BLAS thread per worker slows them down.
@threadpool_limits.wrap(limits=1)
def measure(fit):
    """Fit and score one model on one split of a dataset.

    Parameters
    ----------
    fit : Fit
        Dataset, model and seed.

    Returns
    -------
    dict
        Names of the dataset, the task and the model, the seed, the scores and the
        duration of the fit in seconds.

    Raises
    ------
    RuntimeError
        If the fit or the prediction fails.
    """
    dataset, competitor, seed, _ = fit
    try:
        measured = fit_and_score(fit)
    except Exception as error:
        raise RuntimeError(
            f"{competitor} failed on {dataset.name} with seed {seed}: {error}"
        ) from error
    names = {"dataset": dataset.name, "task": dataset.task, "competitor": competitor}
    return {**names, "seed": seed, **measured}
