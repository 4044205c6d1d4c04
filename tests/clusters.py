"""A small cluster of dask for tests: two workers, each a process with one thread."""

import multiprocessing
from contextlib import contextmanager
from pathlib import Path

import dask
from distributed import Client, LocalCluster
from distributed.utils import get_mp_context

N_WORKERS = 2
FOLDER_OF_TESTS = str(Path(__file__).parent)

if "forkserver" in multiprocessing.get_all_start_methods():
    # Workers are forked from a process that has imported what they need, which takes
    # longer than most of the tests.
    dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"})
    get_mp_context().set_forkserver_preload(["skbackprop.dask"])


@contextmanager
def cluster():
    """Start two worker processes, and stop them at the end.

    Yields
    ------
    distributed.Client
        Of the cluster; dask and joblib's backend "dask" find it by themselves.
    """
    with (
        LocalCluster(
            n_workers=N_WORKERS,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            memory_limit=0,  # whatever the machine has, no worker is restarted
        ) as workers,
        Client(workers, timeout=60) as client,
    ):
        client.wait_for_workers(N_WORKERS, timeout=60)
        client.run(_forget(FOLDER_OF_TESTS))
        yield client


def _forget(folder):
    """Return a function that removes a folder and its subfolders from `sys.path`.

    Worker processes inherit `sys.path`. Without these entries the workers import only
    installed packages, as on other machines.
    """

    def forget():
        # A nested function is sent to the workers by value, not by name.
        import sys
        from pathlib import Path

        sys.path[:] = [
            entry for entry in sys.path if not Path(entry).is_relative_to(folder)
        ]

    return forget


@contextmanager
def workers_at_work(client):
    """Assert that tasks are run by workers of the cluster meanwhile.

    Which worker runs a task is the scheduler's choice: one may get all of a few.
    """
    before = executed(client)
    yield
    assert executed(client) > before


def executed(client):
    """Return how many tasks the workers have run so far."""
    counts = client.run(lambda dask_worker: dask_worker.state.executed_count)
    return sum(counts.values())
