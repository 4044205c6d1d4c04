// Products of a sparse batch in CSR format and a dense matrix.

#ifndef SKBACKPROP_SPARSE_H
#define SKBACKPROP_SPARSE_H

#include "loops.h"

namespace skbackprop {

// Sparse matrix of n_rows rows. Row i has the stored values start[i] to start[i + 1].
template <class T, class Index> struct Sparse {
    const T *values;
    const Index *columns, *start;
    ptrdiff_t n_rows;
};

// Add factor * x to y.
template <class T> void add_scaled(T factor, const T *x, T *y, ptrdiff_t n) {
#pragma omp simd
    for (ptrdiff_t j = 0; j < n; ++j) y[j] += factor * x[j];
}

// Add x W to out. W has n_units columns.
template <class T, class Index>
void add_product(const Sparse<T, Index> &x, const T *W, T *out, ptrdiff_t n_units) {
    const ReleasedLock lock(x.start[x.n_rows] * n_units);
    for (ptrdiff_t i = 0; i < x.n_rows; ++i) {
        for (Index k = x.start[i]; k < x.start[i + 1]; ++k) {
            const T *row = W + x.columns[k] * n_units;
            add_scaled(x.values[k], row, out + i * n_units, n_units);
        }
    }
}

// Add x^T delta to out.
template <class T, class Index>
void add_transposed_product(const Sparse<T, Index> &x, const T *delta, T *out,
                            ptrdiff_t n_units) {
    const ReleasedLock lock(x.start[x.n_rows] * n_units);
    for (ptrdiff_t i = 0; i < x.n_rows; ++i) {
        for (Index k = x.start[i]; k < x.start[i + 1]; ++k) {
            T *row = out + x.columns[k] * n_units;
            add_scaled(x.values[k], delta + i * n_units, row, n_units);
        }
    }
}

}  // namespace skbackprop

#endif
