# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# distutils: language = c++
"""Compiled kernels for x86-64 processors with AVX2 and FMA."""

include "kernels.pxi"
