"""A small Dask cluster for tests: two worker processes with one thread each."""

import multiprocessing
from contextlib import contextmanager
from pathlib import Path

import dask
from distributed import Client, LocalCluster
from distributed.utils import get_mp_context

N_WORKERS = 2
FOLDER_OF_TESTS = str(Path(__file__).parent)

if "forkserver" in multiprocessing.get_all_start_methods():
    # The imports of a worker take longer than most tests. Workers are therefore forked
    # from a process that has already imported the package.
    dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"})
    get_mp_context().set_forkserver_preload(["skbackprop.dask"])


@contextmanager
def cluster():
    """Start two worker processes, and stop them on exit.

    Yields
    ------
    distributed.Client
        Default client of the process, which Dask and the joblib backend "dask" use.
    """
    with (
        LocalCluster(
            n_workers=N_WORKERS,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            memory_limit=0,  # workers are not restarted on machines with little memory
        ) as workers,
        Client(workers, timeout=60) as client,
    ):
        client.wait_for_workers(N_WORKERS, timeout=60)
        client.run(remove_from_path(FOLDER_OF_TESTS))
        yield client


def remove_from_path(folder):
    """Return a function that removes a folder and its subfolders from `sys.path`.

    Worker processes inherit `sys.path`. Without these entries the workers import only
    installed packages, as on other machines.
    """

    def remove():
        # A nested function is sent to the workers by value, not by name.
        import sys
        from pathlib import Path

        sys.path[:] = [
            entry for entry in sys.path if not Path(entry).is_relative_to(folder)
        ]

    return remove


@contextmanager
def assert_workers_run_tasks(client):
    """Assert that the workers of the cluster run tasks inside the block.

    The scheduler may assign all tasks to one worker.
    """
    before = count_executed_tasks(client)
    yield
    assert count_executed_tasks(client) > before


def count_executed_tasks(client):
    """Return the number of tasks that the workers have run."""
    counts = client.run(lambda dask_worker: dask_worker.state.executed_count)
    return sum(counts.values())
