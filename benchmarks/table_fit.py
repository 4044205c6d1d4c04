"""Fit one model to a generated table: ``python -m benchmarks.table_fit``.

The arguments are the numbers of training rows and columns, and the name of the model.
"""

from time import perf_counter

import pandas as pd
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from .memory import anonymous_megabytes, record_memory, return_free_memory
from .processes import report
from .tabular import CLASSIFIERS, classification_scores

N_TEST = 10_000


def measure_fit(n_rows, n_columns, model):
    """Fit a model to a generated table.

    Parameters
    ----------
    n_rows, n_columns : str
        Size of the training data.
    model : str
        Key of `benchmarks.tabular.CLASSIFIERS`.

    Returns
    -------
    dict
        Duration of `fit` and of the predictions of 10,000 rows, peak memory of the fit
        above the memory before the fit, accuracy and log-loss.
    """
    n_rows, n_columns = int(n_rows), int(n_columns)
    X, y = make_classification(
        n_rows + N_TEST,
        n_columns,
        n_informative=n_columns // 2,
        n_classes=3,
        random_state=0,
    )
    X = pd.DataFrame(X).add_prefix("x")
    X, X_test, y, y_test = train_test_split(X, y, test_size=N_TEST, random_state=0)
    with threadpool_limits(1):
        classifier = CLASSIFIERS[model](0)
        return_free_memory()
        readings = [anonymous_megabytes()]
        with record_memory(readings):
            start = perf_counter()
            classifier.fit(X, y)
            fit_seconds = perf_counter() - start
        start = perf_counter()
        classifier.predict(X_test)
        predict_seconds = perf_counter() - start
        return {
            "fit (s)": fit_seconds,
            "predict (s)": predict_seconds,
            "memory (MB)": max(readings) - readings[0],
            **classification_scores(classifier, X_test, y_test),
        }


if __name__ == "__main__":
    report(measure_fit)
