// Losses: the loss of a batch and the error of the output layer in one pass.
//
// Each loss is a class with `value` and its derivative with respect to a, `gradient`. To
// add a loss, write such a class and add it to `find_loss`.

#ifndef SKBACKPROP_LOSSES_H
#define SKBACKPROP_LOSSES_H

#include <algorithm>
#include <cstring>
#include <limits>

#include "loops.h"
#include "vector_math.h"

namespace skbackprop {

// The smallest normal number replaces outputs that underflowed to 0. NaN stays NaN.
template <class T> T at_least_tiny(T a) {
    const T tiny = std::numeric_limits<T>::min();
    return a < tiny ? tiny : a;
}

template <class T> T absolute(T r) { return r < T(0) ? -r : r; }

struct SquaredError {
    explicit SquaredError(double) {}
    template <class T> T value(T y, T a, T) const {
        return T(0.5) * (a - y) * (a - y);
    }
    template <class T> T gradient(T y, T a) const { return a - y; }
};

struct LogLoss {
    explicit LogLoss(double) {}
    template <class T> T value(T y, T a, T) const {
        return -y * vector_math::log(at_least_tiny(a));
    }
    template <class T> T gradient(T y, T a) const { return -y / a; }
};

struct BinaryLogLoss {
    explicit BinaryLogLoss(double) {}
    template <class T> T value(T y, T, T z) const {
        return vector_math::softplus(z) - y * z;
    }
    template <class T> T gradient(T y, T a) const {
        return (a - y) / (a * (T(1) - a));
    }
};

struct AbsoluteError {
    explicit AbsoluteError(double) {}
    template <class T> T value(T y, T a, T) const { return absolute(a - y); }
    template <class T> T gradient(T y, T a) const {
        const T r = a - y;
        return r > T(0) ? T(1) : (r < T(0) ? T(-1) : r);
    }
};

struct Huber {
    const double delta;
    explicit Huber(double d) : delta(d) {}
    template <class T> T value(T y, T a, T) const {
        const T r = absolute(a - y), d = T(delta);
        return r <= d ? T(0.5) * r * r : d * (r - T(0.5) * d);
    }
    template <class T> T gradient(T y, T a) const {
        const T r = a - y, d = T(delta);
        return r > d ? d : (r < -d ? -d : r);
    }
};

struct Quantile {
    const double quantile;
    explicit Quantile(double q) : quantile(q) {}
    template <class T> T value(T y, T a, T) const {
        const T r = a - y, q = T(quantile);
        return r > T(0) ? (T(1) - q) * r : -q * r;
    }
    template <class T> T gradient(T y, T a) const {
        const T r = a - y, q = T(quantile);
        return r > T(0) ? T(1) - q : (r < T(0) ? -q : r);
    }
};

struct Poisson {
    explicit Poisson(double) {}
    template <class T> T value(T y, T a, T) const {
        const T ratio = y / at_least_tiny(a);
        return (y == T(0) ? T(0) : y * vector_math::log(ratio)) - y + a;
    }
    template <class T> T gradient(T y, T a) const { return T(1) - y / at_least_tiny(a); }
};

// Arrays of the output layer. All columns except those of z are contiguous.
struct OutputBatch {
    const void *y;
    ptrdiff_t y_column_stride;
    const void *a, *z, *weight;  // weight is null if all rows have weight 1
    Shape shape;
};

// Number of rows whose losses are added in the precision of the network.
constexpr ptrdiff_t CHUNK = 256;

// Return the weighted sum of the losses.
template <class T, class L>
double loss_sum(const OutputBatch &batch, const double *parameters) {
    const ptrdiff_t n = batch.shape.n_rows, m = batch.shape.n_columns;
    const ReleasedLock lock(n * m);
    const T *w = (const T *)batch.weight;
    double total = 0.0;
    for (ptrdiff_t k = 0; k < m; ++k) {
        const L loss(parameters[k]);
        const T *y = (const T *)batch.y + k * batch.y_column_stride;
        const T *a = (const T *)batch.a + k * n, *z = (const T *)batch.z + k;
        for (ptrdiff_t start = 0; start < n; start += CHUNK) {
            const ptrdiff_t stop = std::min(start + CHUNK, n);
            T part = 0;
            if (w) {
#pragma omp simd reduction(+ : part)
                for (ptrdiff_t i = start; i < stop; ++i)
                    part += w[i] * loss.value(y[i], a[i], z[i * m]);
            } else {
#pragma omp simd reduction(+ : part)
                for (ptrdiff_t i = start; i < stop; ++i)
                    part += loss.value(y[i], a[i], z[i * m]);
            }
            total += double(part);
        }
    }
    return total;
}

// Write scale * weight * dC/da into delta, and its column sums into db. For a canonical
// pair, the derivatives of loss and activation cancel, and a - y is dC/dz.
template <class T, class L>
void output_error(const OutputBatch &batch, const double *parameters, bool is_canonical,
                  double scale_, void *delta, void *db) {
    const ptrdiff_t n = batch.shape.n_rows, m = batch.shape.n_columns;
    const ReleasedLock lock(n * m);
    const T *w = (const T *)batch.weight, scale = T(scale_);
    for (ptrdiff_t k = 0; k < m; ++k) {
        const L loss(parameters[k]);
        const T *y = (const T *)batch.y + k * batch.y_column_stride;
        const T *a = (const T *)batch.a + k * n;
        T *d = (T *)delta + k * n;
        if (is_canonical) {
#pragma omp simd
            for (ptrdiff_t i = 0; i < n; ++i) d[i] = (a[i] - y[i]) * scale;
        } else {
#pragma omp simd
            for (ptrdiff_t i = 0; i < n; ++i) d[i] = loss.gradient(y[i], a[i]) * scale;
        }
        if (w) {
#pragma omp simd
            for (ptrdiff_t i = 0; i < n; ++i) d[i] *= w[i];
        }
        ((T *)db)[k] = sum(d, n);
    }
}

// Functions of one loss for float32 or float64 arrays.
struct LossFunctions {
    double (*sum)(const OutputBatch &batch, const double *parameters);
    void (*error)(const OutputBatch &batch, const double *parameters, bool is_canonical,
                  double scale, void *delta, void *db);
};

template <class T, class L> LossFunctions loss_functions() {
    return {loss_sum<T, L>, output_error<T, L>};
}

// Return the functions of a loss, or null pointers for an unknown name.
template <class T> LossFunctions find_loss(const char *name) {
    const struct {
        const char *name;
        LossFunctions functions;
    } table[] = {
        {"squared_error", loss_functions<T, SquaredError>()},
        {"log_loss", loss_functions<T, LogLoss>()},
        {"binary_log_loss", loss_functions<T, BinaryLogLoss>()},
        {"absolute_error", loss_functions<T, AbsoluteError>()},
        {"huber", loss_functions<T, Huber>()},
        {"quantile", loss_functions<T, Quantile>()},
        {"poisson", loss_functions<T, Poisson>()},
    };
    for (const auto &row : table) {
        if (std::strcmp(row.name, name) == 0) return row.functions;
    }
    return {nullptr, nullptr};
}

}  // namespace skbackprop

#endif
