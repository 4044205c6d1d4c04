"""BLAS operations of the core."""

import numpy as np
import pytest

from skbackprop.core.blas import MAX_UPDATE, add_to_rows


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "shape",
    [
        (1, 1),
        (1, 3 * MAX_UPDATE),
        (3 * MAX_UPDATE, 1),
        (64, MAX_UPDATE // 64),
        (65, MAX_UPDATE // 64),
        (1000, 70),
    ],
)
def test_vector_is_added_to_each_row(shape, dtype):
    rng = np.random.default_rng(0)
    A, b = rng.normal(size=shape).astype(dtype), rng.normal(size=shape[1]).astype(dtype)
    expected = A + b
    add_to_rows(b, A, np.ones(shape[0], dtype))
    np.testing.assert_allclose(A, expected, rtol=np.finfo(dtype).eps)
