"""How many threads the matrix products of a network may use."""

from functools import cache

from threadpoolctl import ThreadpoolController

#: Multiplications of a matrix product below which several BLAS threads cost more
#: than they save, by far where another process wants the same cores.
SMALL_PRODUCT = 5_000_000


@cache
def _blas():
    """Find the BLAS libraries in this process, once: the search takes long."""
    return ThreadpoolController()


@cache
def _blas_of_scipy():
    """Of these, the one that SciPy's wheels bring along, if there is one.

    Its threads and those of NumPy's would each keep the cores busy while they
    wait for the others.
    """
    paths = [lib.filepath for lib in _blas().lib_controllers]
    return _blas().select(filepath=[path for path in paths if "scipy.libs" in path])


def blas_threads(network, n_rows):
    """Return a context that keeps small networks to one BLAS thread."""
    small = n_rows * max(W.size for W in network.weights) <= SMALL_PRODUCT
    libraries = _blas() if small else _blas_of_scipy()
    return libraries.limit(limits=1, user_api="blas")
