"""Time a grid search: ``python -m benchmarks.search CONTESTANT n_jobs=N``."""

from time import perf_counter

from sklearn.model_selection import GridSearchCV

from .contestants import CONTESTANTS
from .processes import report
from .workloads import Workload, table

WORKLOAD = Workload(table, 1_000, (20, 50, 3), batch_size=50, epochs=100)

#: Twelve candidates.
GRID = {
    "hidden_layer_sizes": [(20,), (50,), (20, 20)],
    "alpha": [0.0001, 0.01],
    "learning_rate_init": [0.001, 0.01],
}


def time_search(contestant, n_jobs):
    """Return the seconds of one search, and the score of its best candidate."""
    n_jobs = int(n_jobs.removeprefix("n_jobs="))
    X, y = WORKLOAD.data()
    network = CONTESTANTS[contestant](WORKLOAD)
    search = GridSearchCV(network, GRID, cv=3, n_jobs=n_jobs)
    # The processes it works in are started, and have imported all, by a first one.
    search.set_params(estimator__max_iter=2).fit(X, y)
    search.set_params(estimator__max_iter=WORKLOAD.epochs)
    start = perf_counter()
    search.fit(X, y)
    return {"seconds": perf_counter() - start, "score": search.best_score_}


if __name__ == "__main__":
    report(time_search)
