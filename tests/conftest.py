"""Settings of the whole test run."""

import os

# The networks here are small, and the tests run in parallel: with several BLAS
# threads each they would get in each other's way. NumPy reads this at import.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
