"""How many threads the matrix products of a network may use."""

from contextlib import nullcontext
from functools import cache

from threadpoolctl import ThreadpoolController

#: Multiplications of a matrix product below which several BLAS threads cost more
#: than they save, by far where another process wants the same cores.
SMALL_PRODUCT = 5_000_000


@cache
def _blas():
    """Find the BLAS libraries in this process, once: the search takes long."""
    return ThreadpoolController()


def blas_threads(network, n_rows):
    """Return a context that keeps small networks to one BLAS thread."""
    largest = n_rows * max(W.size for W in network.weights)
    if largest > SMALL_PRODUCT:
        return nullcontext()
    return _blas().limit(limits=1, user_api="blas")
