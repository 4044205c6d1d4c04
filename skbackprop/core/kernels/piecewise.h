// Piecewise-linear encoding: components of transformed features in one pass.

#ifndef SKBACKPROP_PIECEWISE_H
#define SKBACKPROP_PIECEWISE_H

#include <cstdint>

#include "inputs.h"
#include "loops.h"

namespace skbackprop {

// Components: (z - low) * factor, in [minimum, maximum], of one feature each. The vectors
// have the dtype of the network.
struct Components {
    const std::int32_t *features;
    const void *low, *factor, *minimum, *maximum;
    ptrdiff_t n_components;
};

// Write the components of each row. `out_stride` is the number of values between rows.
template <class T>
void write_components(const Rows &rows, const Components &c, void *out_,
                      ptrdiff_t out_stride) {
    const ReleasedLock lock(rows.n_rows * c.n_components);
    const T *low = (const T *)c.low, *factor = (const T *)c.factor;
    const std::int32_t *features = c.features;
    const T *minimum = (const T *)c.minimum, *maximum = (const T *)c.maximum;
    const ptrdiff_t n = c.n_components;
    for (ptrdiff_t i = 0; i < rows.n_rows; ++i) {
        const T *z = rows.row<T>(i);
        T *out = (T *)out_ + i * out_stride;
#pragma omp simd
        for (ptrdiff_t k = 0; k < n; ++k) {
            const T value = (z[features[k]] - low[k]) * factor[k];
            const T above = value < minimum[k] ? minimum[k] : value;
            out[k] = above > maximum[k] ? maximum[k] : above;
        }
    }
}

}  // namespace skbackprop

#endif
