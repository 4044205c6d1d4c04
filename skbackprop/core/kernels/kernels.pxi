"""Python interface of the compiled kernels.

`_baseline.pyx` and `_avx2.pyx` include this file. They differ only in the instructions
that the compiler may use. Dtypes, shapes and memory order of all arrays are checked,
because a wrong array would overwrite other memory.
"""

include "arrays.pxi"
include "activations.pxi"
include "losses.pxi"
include "optimizers.pxi"
include "inputs.pxi"
include "piecewise.pxi"
include "dropout.pxi"
include "sparse.pxi"
include "statistics.pxi"
