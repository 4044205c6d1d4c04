# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# distutils: language = c++
"""Compiled kernels for every processor of the platform."""

include "kernels.pxi"


cdef extern from "processor.h" namespace "skbackprop":
    bint has_avx2 "skbackprop::has_avx2"()


def supports_avx2():
    """Return whether the processor can run the kernels of `_avx2`."""
    return has_avx2()
