"""How many threads the linear algebra of a network may use."""

from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from threading import Lock

from threadpoolctl import ThreadpoolController

#: Multiplications of a matrix product below which several BLAS threads bring
#: little, and cost much where another process wants the same cores.
SMALL_PRODUCT = 10_000_000

#: Where SciPy's wheels keep their BLAS: on Linux and Windows, and on macOS.
LIBRARIES_OF_SCIPY = ("scipy.libs/*", "scipy/.dylibs/*")


class SingleThreadLimit:
    """Keeps BLAS libraries to one thread while at least one fit or prediction asks.

    The number of threads is a setting of the process: each on its own, two fits
    in two threads could put back what the other has set, for good.
    """

    def __init__(self, libraries):
        self.libraries = libraries
        self.lock = Lock()
        self.n_users = 0

    @contextmanager
    def __call__(self):
        with self.lock:
            if self.n_users == 0:
                self.limit = self.libraries.limit(limits=1, user_api="blas")
                self.release_limits()
            self.n_users += 1
        try:
            yield
        finally:
            with self.lock:
                self.n_users -= 1
                if self.n_users == 0:
                    self.limit.restore_original_limits()
                    self.release_limits()

    def release_limits(self):
        # Since threadpoolctl 3.8 no other thread can undo what this one has set,
        # until a limit of this thread's goes out of its `with`.
        with self.libraries.limit():
            pass


_finding = Lock()


def _libraries():
    """Return what limits SciPy's BLAS, and any other, the same to all."""
    with _finding:  # else threads that come first at once would have one each
        return _found_libraries()


@cache
def _found_libraries():
    """Find the BLAS that SciPy's wheels bring along, and any other, once."""
    controller = ThreadpoolController()
    paths = [lib.filepath for lib in controller.lib_controllers]
    of_scipy = [
        path for path in paths if any(map(Path(path).match, LIBRARIES_OF_SCIPY))
    ]
    others = [path for path in paths if path not in of_scipy]
    return (
        SingleThreadLimit(controller.select(filepath=of_scipy)),
        SingleThreadLimit(controller.select(filepath=others)),
    )


@contextmanager
def blas_threads(network, n_rows):
    """Keep the vector operations to one thread, and small products as well.

    SciPy's own BLAS does the vector operations in between NumPy's products. With
    threads on both sides each would keep the cores busy while waiting for the other.
    """
    of_scipy, others = _libraries()
    # In this order only: threadpoolctl has one memory of limits for both.
    with ExitStack() as stack:
        stack.enter_context(of_scipy())
        if n_rows * max(W.size for W in network.weights) <= SMALL_PRODUCT:
            stack.enter_context(others())
        yield
