"""Limits on the number of BLAS threads."""

from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock

from threadpoolctl import ThreadpoolController

#: Number of multiplications up to which a matrix product uses one BLAS thread. More
#: threads give little speedup and are slow if other processes use the same cores.
SMALL_PRODUCT = 10_000_000

#: Number of multiplications, and of parameters, up to which OpenBLAS uses one thread in
#: all functions that training calls. Setting a limit would take longer than training
#: on one row.
TINY_PRODUCT = 8192

#: Paths of the BLAS library in SciPy wheels: on Linux and Windows, and on macOS.
SCIPY_LIBRARIES = ("scipy.libs/*", "scipy/.dylibs/*")


class SingleThreadLimit:
    """Limit of one BLAS thread while at least one fit or prediction runs.

    The number of BLAS threads is a setting of the whole process. With separate limits,
    two concurrent fits could each restore the limit of the other fit, and the process
    would stay limited to one thread.

    Parameters
    ----------
    libraries : ThreadpoolController
        BLAS libraries to limit.
    """

    def __init__(self, libraries):
        self.libraries = libraries
        self.lock = Lock()
        self.n_users = 0

    # Since threadpoolctl 3.8, other threads cannot undo a limit before the thread that
    # set the limit leaves a `with` block. The blocks below are left immediately.

    def acquire(self):
        """Limit the libraries for one more user."""
        with self.lock:
            if self.n_users == 0:
                self.limit = self.libraries.limit(limits=1, user_api="blas")
                with self.libraries.limit():
                    pass
            self.n_users += 1

    def release(self):
        """Restore the original number of threads after the last user."""
        with self.lock:
            self.n_users -= 1
            if self.n_users == 0:
                self.limit.restore_original_limits()
                with self.libraries.limit():
                    pass


_search_lock = Lock()


@cache
def _find_libraries():
    """Return the limits for the BLAS of SciPy and for all other BLAS libraries."""
    controller = ThreadpoolController()
    paths = [lib.filepath for lib in controller.lib_controllers]
    scipy_paths = [
        path for path in paths if any(map(Path(path).match, SCIPY_LIBRARIES))
    ]
    other_paths = [path for path in paths if path not in scipy_paths]
    return (
        SingleThreadLimit(controller.select(filepath=scipy_paths)),
        SingleThreadLimit(controller.select(filepath=other_paths)),
    )


def _get_limits():
    """Return the limits for the BLAS of SciPy and for all other BLAS libraries."""
    # Without the lock, concurrent first calls would each create their own limits.
    with _search_lock:
        return _find_libraries()


@contextmanager
def _limited(limits):
    """Acquire limits, and release them at the end."""
    for limit in limits:
        limit.acquire()
    try:
        yield
    finally:
        for limit in reversed(limits):
            limit.release()


def single_blas_thread():
    """Return a context that limits all BLAS libraries to one thread.

    Several fits in threads of this process then use one core each.
    """
    return _limited(_get_limits())


@contextmanager
def blas_threads(network, n_rows):
    """Limit vector operations, and small matrix products, to one BLAS thread.

    The BLAS of SciPy computes the vector operations between the matrix products of
    NumPy. If both libraries used several threads, the waiting threads of one library
    would keep the cores busy and slow down the other library.
    """
    largest_product = n_rows * max([W.size for W in network.weights])
    if max(largest_product, network.params.size) <= TINY_PRODUCT:
        yield
        return
    scipy_limit, other_limit = _get_limits()
    is_small = largest_product <= SMALL_PRODUCT
    # The order matters because threadpoolctl stores the limits of both libraries in
    # one place.
    with _limited((scipy_limit, other_limit) if is_small else (scipy_limit,)):
        yield
