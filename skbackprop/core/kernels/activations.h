// Activations: bias and activation in one pass, and derivative times error.
//
// Each function is a class with f(z) as `value` and f'(z) as `derivative`, where a is
// f(z). To add an activation, write such a class and add it to `find_activation`.

#ifndef SKBACKPROP_ACTIVATIONS_H
#define SKBACKPROP_ACTIVATIONS_H

#include <algorithm>
#include <cstring>

#include "loops.h"
#include "vector_math.h"

namespace skbackprop {

namespace vm = vector_math;

struct Identity {
    explicit Identity(double) {}
    template <class T> T value(T z) const { return z; }
    template <class T> T derivative(T, T) const { return T(1); }
};

struct Sigmoid {
    explicit Sigmoid(double) {}
    template <class T> T value(T z) const { return vm::sigmoid(z); }
    template <class T> T derivative(T a, T) const { return a * (T(1) - a); }
};

struct Tanh {
    explicit Tanh(double) {}
    template <class T> T value(T z) const { return vm::tanh(z); }
    template <class T> T derivative(T a, T) const { return T(1) - a * a; }
};

// The comparisons of the next three are such that NaN stays NaN.
struct ReLU {
    explicit ReLU(double) {}
    template <class T> T value(T z) const { return z < T(0) ? T(0) : z; }
    template <class T> T derivative(T a, T) const { return T(a > T(0)); }
};

struct LeakyReLU {
    const double negative_slope;
    explicit LeakyReLU(double slope) : negative_slope(slope) {}
    template <class T> T value(T z) const { return z > T(0) ? z : slope<T>() * z; }
    template <class T> T derivative(T, T z) const {
        return z > T(0) ? T(1) : slope<T>();
    }
    template <class T> T slope() const { return T(negative_slope); }
};

struct ELU {
    explicit ELU(double) {}
    template <class T> T value(T z) const { return z > T(0) ? z : vm::expm1(z); }
    template <class T> T derivative(T, T z) const {
        return z > T(0) ? T(1) : vm::exp(z);
    }
};

struct GELU {
    explicit GELU(double) {}
    template <class T> T value(T z) const { return z * vm::normal_cdf(z); }
    template <class T> T derivative(T, T z) const {
        const T density = T(0.3989422804014327) * vm::exp(T(-0.5) * z * z);
        return vm::normal_cdf(z) + z * density;
    }
};

struct SiLU {
    explicit SiLU(double) {}
    template <class T> T value(T z) const { return z * vm::sigmoid(z); }
    template <class T> T derivative(T a, T z) const {
        const T s = vm::sigmoid(z);
        return s + a * (T(1) - s);
    }
};

struct Softplus {
    explicit Softplus(double) {}
    template <class T> T value(T z) const { return vm::softplus(z); }
    template <class T> T derivative(T, T z) const { return vm::sigmoid(z); }
};

struct Exp {
    explicit Exp(double) {}
    template <class T> T value(T z) const { return vm::exp(z); }
    template <class T> T derivative(T a, T) const { return a; }
};

// Write z + b into z, and f(z + b) into out. If out is z, only f(z + b) is written.
template <class F, class T>
void forward(T *z, const T *b, T *out, Shape shape, double parameter) {
    const F f(parameter);
    const ptrdiff_t n = shape.n_rows, m = shape.n_columns;
    if (shape.by_columns) {
        for (ptrdiff_t k = 0; k < m; ++k) {
            T *zk = z + k, *ak = out + k * n;
            const T bk = b[k];
#pragma omp simd
            for (ptrdiff_t i = 0; i < n; ++i) {
                const T t = zk[i * m] + bk;
                zk[i * m] = t;
                ak[i] = f.value(t);
            }
        }
    } else if (out == z) {
        for (ptrdiff_t i = 0; i < n; ++i) {
            T *ai = out + i * m;
#pragma omp simd
            for (ptrdiff_t j = 0; j < m; ++j) ai[j] = f.value(ai[j] + b[j]);
        }
    } else {
        for (ptrdiff_t i = 0; i < n; ++i) {
            T *zi = z + i * m, *ai = out + i * m;
#pragma omp simd
            for (ptrdiff_t j = 0; j < m; ++j) {
                const T t = zi[j] + b[j];
                zi[j] = t;
                ai[j] = f.value(t);
            }
        }
    }
}

// Multiply delta by f'(z), and write the sum of each column of delta into db. With
// dropout, delta is also multiplied by the mask of the layer; otherwise mask is null.
template <class F, class T>
void backward(T *delta, const T *a, const T *z, T *db, Shape shape, double parameter,
              const T *mask) {
    const F f(parameter);
    const ptrdiff_t n = shape.n_rows, m = shape.n_columns;
    if (shape.by_columns) {
        for (ptrdiff_t k = 0; k < m; ++k) {
            T *dk = delta + k * n;
            const T *ak = a + k * n, *zk = z + k;
#pragma omp simd
            for (ptrdiff_t i = 0; i < n; ++i) dk[i] *= f.derivative(ak[i], zk[i * m]);
            db[k] = sum(dk, n);
        }
        return;
    }
    std::fill(db, db + m, T(0));
    for (ptrdiff_t i = 0; i < n; ++i) {
        T *di = delta + i * m;
        const T *ai = a + i * m, *zi = z + i * m, *mi = mask + i * m;
        if (mask) {
#pragma omp simd
            for (ptrdiff_t j = 0; j < m; ++j) {
                const T d = di[j] * mi[j] * f.derivative(ai[j], zi[j]);
                di[j] = d;
                db[j] += d;
            }
            continue;
        }
#pragma omp simd
        for (ptrdiff_t j = 0; j < m; ++j) {
            const T d = di[j] * f.derivative(ai[j], zi[j]);
            di[j] = d;
            db[j] += d;
        }
    }
}

// Softmax and CumulativeSoftplus combine the outputs of a row. They exist only in the
// output layer, which is stored column by column.

// Number of rows that are processed together, which stay in the first-level cache.
constexpr ptrdiff_t ROWS = 128;

template <class T>
void softmax_forward(T *z, const T *b, T *out, Shape shape, double) {
    const ptrdiff_t n = shape.n_rows, m = shape.n_columns;
    for (ptrdiff_t start = 0; start < n; start += ROWS) {
        const ptrdiff_t size = std::min(ROWS, n - start);
        T largest[ROWS], total[ROWS];
        for (ptrdiff_t k = 0; k < m; ++k) {
            T *zk = z + start * m + k, *ak = out + k * n + start;
#pragma omp simd
            for (ptrdiff_t i = 0; i < size; ++i) {
                const T t = zk[i * m] + b[k];
                zk[i * m] = ak[i] = t;
                // A NaN makes all outputs NaN, because it reaches the total.
                largest[i] = k == 0 || t > largest[i] ? t : largest[i];
            }
        }
        std::fill(total, total + size, T(0));
        for (ptrdiff_t k = 0; k < m; ++k) {
            T *ak = out + k * n + start;
#pragma omp simd
            for (ptrdiff_t i = 0; i < size; ++i) {
                ak[i] = vm::exp(ak[i] - largest[i]);
                total[i] += ak[i];
            }
        }
        for (ptrdiff_t k = 0; k < m; ++k) {
            T *ak = out + k * n + start;
#pragma omp simd
            for (ptrdiff_t i = 0; i < size; ++i) ak[i] /= total[i];
        }
    }
}

template <class T>
void softmax_backward(T *delta, const T *a, const T *, T *db, Shape shape, double,
                      const T *) {
    const ptrdiff_t n = shape.n_rows, m = shape.n_columns;
    for (ptrdiff_t start = 0; start < n; start += ROWS) {
        const ptrdiff_t size = std::min(ROWS, n - start);
        T mean[ROWS] = {};
        for (ptrdiff_t k = 0; k < m; ++k) {
            const T *dk = delta + k * n + start, *ak = a + k * n + start;
#pragma omp simd
            for (ptrdiff_t i = 0; i < size; ++i) mean[i] += dk[i] * ak[i];
        }
        for (ptrdiff_t k = 0; k < m; ++k) {
            T *dk = delta + k * n + start;
            const T *ak = a + k * n + start;
#pragma omp simd
            for (ptrdiff_t i = 0; i < size; ++i) dk[i] = (dk[i] - mean[i]) * ak[i];
        }
    }
    for (ptrdiff_t k = 0; k < m; ++k) db[k] = sum(delta + k * n, n);
}

template <class T>
void cumulative_forward(T *z, const T *b, T *out, Shape shape, double unit) {
    const ptrdiff_t n = shape.n_rows, m = shape.n_columns;
    for (ptrdiff_t k = 0; k < m; ++k) {
        T *zk = z + k, *ak = out + k * n;
        const T *before = ak - n;
        for (ptrdiff_t i = 0; i < n; ++i) zk[i * m] += b[k];
        if (k == 0) {
            for (ptrdiff_t i = 0; i < n; ++i) ak[i] = zk[i * m];
            continue;
        }
#pragma omp simd
        for (ptrdiff_t i = 0; i < n; ++i) {
            ak[i] = before[i] + vm::softplus(zk[i * m]) * T(unit);
        }
    }
}

template <class T>
void cumulative_backward(T *delta, const T *, const T *z, T *db, Shape shape,
                         double unit, const T *) {
    const ptrdiff_t n = shape.n_rows, m = shape.n_columns;
    // z_k contributes to output k and to all later outputs.
    for (ptrdiff_t k = m - 1; k > 0; --k) {
        T *before = delta + (k - 1) * n, *dk = delta + k * n;
        for (ptrdiff_t i = 0; i < n; ++i) before[i] += dk[i];
    }
    for (ptrdiff_t k = 0; k < m; ++k) {
        T *dk = delta + k * n;
        const T *zk = z + k;
        if (k > 0) {
#pragma omp simd
            for (ptrdiff_t i = 0; i < n; ++i) {
                dk[i] *= T(unit) * vm::sigmoid(zk[i * m]);
            }
        }
        db[k] = sum(dk, n);
    }
}

// Functions of one activation for float32 or float64 arrays.
struct ActivationFunctions {
    void (*forward)(void *z, const void *b, void *out, Shape shape, double parameter);
    void (*backward)(void *delta, const void *a, const void *z, void *db, Shape shape,
                     double parameter, const void *mask);
};

template <class T, auto forward, auto backward> ActivationFunctions untyped() {
    return {
        [](void *z, const void *b, void *out, Shape shape, double parameter) {
            const ReleasedLock lock(shape.size());
            forward((T *)z, (const T *)b, (T *)out, shape, parameter);
        },
        [](void *delta, const void *a, const void *z, void *db, Shape shape,
           double parameter, const void *mask) {
            const ReleasedLock lock(shape.size());
            backward((T *)delta, (const T *)a, (const T *)z, (T *)db, shape, parameter,
                     (const T *)mask);
        },
    };
}

template <class T, class F> ActivationFunctions elementwise() {
    return untyped<T, forward<F, T>, backward<F, T>>();
}

// Return the functions of an activation, or null pointers for an unknown name.
template <class T> ActivationFunctions find_activation(const char *name) {
    const struct {
        const char *name;
        ActivationFunctions functions;
    } table[] = {
        {"identity", elementwise<T, Identity>()},
        {"sigmoid", elementwise<T, Sigmoid>()},
        {"tanh", elementwise<T, Tanh>()},
        {"relu", elementwise<T, ReLU>()},
        {"leaky_relu", elementwise<T, LeakyReLU>()},
        {"elu", elementwise<T, ELU>()},
        {"gelu", elementwise<T, GELU>()},
        {"silu", elementwise<T, SiLU>()},
        {"softplus", elementwise<T, Softplus>()},
        {"exp", elementwise<T, Exp>()},
        {"softmax", untyped<T, softmax_forward<T>, softmax_backward<T>>()},
        {"increasing", untyped<T, cumulative_forward<T>, cumulative_backward<T>>()},
    };
    for (const auto &row : table) {
        if (std::strcmp(row.name, name) == 0) return row.functions;
    }
    return {nullptr, nullptr};
}

}  // namespace skbackprop

#endif
