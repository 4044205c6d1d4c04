"""Time a grid search: ``python -m benchmarks.search COMPETITOR n_jobs=N``."""

from time import perf_counter

from sklearn.model_selection import GridSearchCV

from .competitors import COMPETITORS
from .processes import report
from .workloads import Workload, make_dense

WORKLOAD = Workload(make_dense, 1_000, (20, 50, 3), batch_size=50, epochs=100)

#: Parameter grid of 12 candidates.
GRID = {
    "hidden_layer_sizes": [(20,), (50,), (20, 20)],
    "alpha": [0.0001, 0.01],
    "learning_rate_init": [0.001, 0.01],
}


def time_search(competitor, n_jobs):
    """Return the duration of one search in seconds and the best score."""
    n_jobs = int(n_jobs.removeprefix("n_jobs="))
    X, y = WORKLOAD.make_data()
    network = COMPETITORS[competitor](WORKLOAD)
    search = GridSearchCV(network, GRID, cv=3, n_jobs=n_jobs)
    # A short search first starts the worker processes and imports the libraries.
    search.set_params(estimator__max_iter=2).fit(X, y)
    search.set_params(estimator__max_iter=WORKLOAD.epochs)
    start = perf_counter()
    search.fit(X, y)
    return {"seconds": perf_counter() - start, "score": search.best_score_}


if __name__ == "__main__":
    report(time_search)
