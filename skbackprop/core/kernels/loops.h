// Loops over the units of a layer that every kernel shares.

#ifndef SKBACKPROP_LOOPS_H
#define SKBACKPROP_LOOPS_H

#include <Python.h>

#include <cstddef>

namespace skbackprop {

using std::ptrdiff_t;

// Number of values from which a kernel lets other Python threads run. Releasing the
// global interpreter lock takes about as long as processing a few hundred values.
constexpr ptrdiff_t LARGE = 16384;

// Releases the global interpreter lock during its lifetime if there is enough to do.
class ReleasedLock {
public:
    explicit ReleasedLock(ptrdiff_t n_values)
        : thread(n_values >= LARGE ? PyEval_SaveThread() : nullptr) {}
    ~ReleasedLock() {
        if (thread) PyEval_RestoreThread(thread);
    }
    ReleasedLock(const ReleasedLock &) = delete;
    ReleasedLock &operator=(const ReleasedLock &) = delete;

private:
    PyThreadState *thread;
};

// Matrix of n_rows samples and n_columns units. Weighted inputs z are always stored row
// by row. The other arrays of the output layer are stored column by column.
struct Shape {
    ptrdiff_t n_rows, n_columns;
    bool by_columns;

    ptrdiff_t size() const { return n_rows * n_columns; }
};

// Return the sum of n values.
template <class T> T sum(const T *values, ptrdiff_t n) {
    T total = 0;
#pragma omp simd reduction(+ : total)
    for (ptrdiff_t i = 0; i < n; ++i) total += values[i];
    return total;
}

}  // namespace skbackprop

#endif
