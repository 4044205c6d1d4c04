// Updates of the parameters: penalty, weight decay and optimizer step in one pass.
//
// Each optimizer is a class whose `step` updates one parameter. To add an optimizer,
// write such a class and add it to `find_optimizer`.

#ifndef SKBACKPROP_OPTIMIZERS_H
#define SKBACKPROP_OPTIMIZERS_H

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "loops.h"

namespace skbackprop {

// Factors that apply to all parameters of one update. The gradient of the cost is
// clip * (gradient + l2 * w + l1 * sign(w)), and w is multiplied by `decay` first.
struct Penalty {
    double l2, l1, decay, clip;
};

template <class T> T sign(T w) { return T(w > T(0)) - T(w < T(0)); }

template <class T> T magnitude(T w) { return w < T(0) ? -w : w; }

// Arithmetic with subnormal numbers is about 50 times slower. Decaying moments of dead
// units and unused inputs would become subnormal, so they are set to zero.
template <class T> T flush(T slot) {
    return magnitude(slot) < std::numeric_limits<T>::min() ? T(0) : slot;
}

struct GradientDescent {
    template <class T> struct Step {
        const T rate;
        explicit Step(const double *c) : rate(T(c[0])) {}
        void operator()(T &w, T g, T &, T &) const { w -= rate * g; }
    };
    static constexpr int n_slots = 0, n_coefficients = 1;
};

struct Momentum {
    template <class T> struct Step {
        const T rate, momentum;
        explicit Step(const double *c) : rate(T(c[0])), momentum(T(c[1])) {}
        void operator()(T &w, T g, T &v, T &) const {
            v = flush(momentum * v - rate * g);
            w += v;
        }
    };
    static constexpr int n_slots = 1, n_coefficients = 2;
};

struct Nesterov {
    template <class T> struct Step {
        const T rate, momentum;
        explicit Step(const double *c) : rate(T(c[0])), momentum(T(c[1])) {}
        void operator()(T &w, T g, T &v, T &) const {
            v = flush(momentum * v - rate * g);
            w += momentum * v - rate * g;
        }
    };
    static constexpr int n_slots = 1, n_coefficients = 2;
};

struct Adam {
    template <class T> struct Step {
        const T rate, beta_1, beta_2, epsilon;
        explicit Step(const double *c)
            : rate(T(c[0])), beta_1(T(c[1])), beta_2(T(c[2])), epsilon(T(c[3])) {}
        void operator()(T &w, T g, T &m, T &v) const {
            m = flush(beta_1 * m + g);
            v = flush(beta_2 * v + g * g);
            w -= rate * (m / (std::sqrt(v) + epsilon));
        }
    };
    static constexpr int n_slots = 2, n_coefficients = 4;
};

struct RMSProp {
    template <class T> struct Step {
        const T rate, beta_2, rest, epsilon;
        explicit Step(const double *c)
            : rate(T(c[0])), beta_2(T(c[1])), rest(T(1.0 - c[1])), epsilon(T(c[2])) {}
        void operator()(T &w, T g, T &v, T &) const {
            v = flush(beta_2 * v + rest * (g * g));
            w -= rate * (g / (std::sqrt(v) + epsilon));
        }
    };
    static constexpr int n_slots = 1, n_coefficients = 3;
};

// Sums over the weights before the update, for the penalty term of the cost.
struct PenaltySums {
    double squares, magnitudes;
};

// Number of parameters whose penalties are added in the precision of the network.
constexpr ptrdiff_t SUM_CHUNK = 1024;

// Parameters, the gradient of their loss, and the state of the optimizer. Weights come
// before biases; unused slots are null.
struct Parameters {
    void *params;
    const void *gradient;
    void *slots[2];
    ptrdiff_t n_weights, n_params;
};

// Update the parameters from index `start` to `stop`. Without an L1 penalty, the sum of the
// magnitudes is not computed.
template <class T, class O, bool has_l1>
PenaltySums update_range(const Parameters &p, ptrdiff_t start, ptrdiff_t stop,
                         Penalty penalty, const double *coefficients) {
    const typename O::template Step<T> step(coefficients);
    T *params = (T *)p.params, *first = (T *)p.slots[0], *second = (T *)p.slots[1];
    const T *gradient = (const T *)p.gradient;
    const T l2 = T(penalty.l2), l1 = T(penalty.l1);
    const T decay = T(penalty.decay), clip = T(penalty.clip);
    T squares = 0, magnitudes = 0;
    // Two vectors at a time, so that the sums do not wait for each other.
#pragma omp simd reduction(+ : squares, magnitudes) simdlen(64 / sizeof(T))
    for (ptrdiff_t i = start; i < stop; ++i) {
        T w = params[i], s0 = 0, s1 = 0;
        T g = gradient[i] + l2 * w;
        squares += w * w;
        if (has_l1) {
            g += l1 * sign(w);
            magnitudes += magnitude(w);
        }
        g *= clip;
        w *= decay;
        if (O::n_slots > 0) s0 = first[i];
        if (O::n_slots > 1) s1 = second[i];
        step(w, g, s0, s1);
        if (O::n_slots > 0) first[i] = s0;
        if (O::n_slots > 1) second[i] = s1;
        params[i] = w;
    }
    return {double(squares), double(magnitudes)};
}

// Update all parameters. The penalty applies only to the weights.
template <class T, class O>
PenaltySums update(const Parameters &p, Penalty penalty, const double *coefficients) {
    const ReleasedLock lock(p.n_params);
    const auto update_weights =
        penalty.l1 ? update_range<T, O, true> : update_range<T, O, false>;
    PenaltySums sums = {0.0, 0.0};
    for (ptrdiff_t start = 0; start < p.n_weights; start += SUM_CHUNK) {
        const ptrdiff_t stop = std::min(start + SUM_CHUNK, p.n_weights);
        const PenaltySums part = update_weights(p, start, stop, penalty, coefficients);
        sums.squares += part.squares;
        sums.magnitudes += part.magnitudes;
    }
    const Penalty none = {0.0, 0.0, 1.0, penalty.clip};
    update_range<T, O, false>(p, p.n_weights, p.n_params, none, coefficients);
    return sums;
}

// Return the sum of the squares of the gradient, with its penalty.
template <class T> double sum_of_squares(const Parameters &p, Penalty penalty) {
    const ReleasedLock lock(p.n_params);
    const T *params = (const T *)p.params, *gradient = (const T *)p.gradient;
    const T l2 = T(penalty.l2), l1 = T(penalty.l1);
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (ptrdiff_t i = 0; i < p.n_weights; ++i) {
        const double g = gradient[i] + l2 * params[i] + l1 * sign(params[i]);
        sum += g * g;
    }
#pragma omp simd reduction(+ : sum)
    for (ptrdiff_t i = p.n_weights; i < p.n_params; ++i) {
        const double g = gradient[i];
        sum += g * g;
    }
    return sum;
}

// Number of columns whose norms are computed together.
constexpr ptrdiff_t COLUMNS = 64;

// Rescale each column of a matrix whose norm exceeds max_norm to this norm.
template <class T>
void limit_column_norms(void *matrix, ptrdiff_t n_rows, ptrdiff_t n_columns,
                        double max_norm) {
    const ReleasedLock lock(n_rows * n_columns);
    for (ptrdiff_t start = 0; start < n_columns; start += COLUMNS) {
        const ptrdiff_t size = std::min(COLUMNS, n_columns - start);
        T *first = (T *)matrix + start;
        double squares[COLUMNS] = {};
        for (ptrdiff_t i = 0; i < n_rows; ++i) {
            const T *row = first + i * n_columns;
#pragma omp simd
            for (ptrdiff_t j = 0; j < size; ++j) squares[j] += double(row[j]) * row[j];
        }
        T factor[COLUMNS];
        for (ptrdiff_t j = 0; j < size; ++j) {
            const double norm = std::sqrt(squares[j]);
            factor[j] = T(norm <= max_norm ? 1.0 : max_norm / norm);  // NaN stays NaN
        }
        for (ptrdiff_t i = 0; i < n_rows; ++i) {
            T *row = first + i * n_columns;
#pragma omp simd
            for (ptrdiff_t j = 0; j < size; ++j) row[j] *= factor[j];
        }
    }
}

// Functions of one optimizer for float32 or float64 arrays.
struct OptimizerFunctions {
    int n_slots, n_coefficients;
    PenaltySums (*update)(const Parameters &parameters, Penalty penalty,
                          const double *coefficients);
    double (*sum_of_squares)(const Parameters &parameters, Penalty penalty);
};

template <class T, class O> OptimizerFunctions optimizer_functions() {
    return {O::n_slots, O::n_coefficients, update<T, O>, sum_of_squares<T>};
}

// Return the functions of an optimizer, or null pointers for an unknown name.
template <class T> OptimizerFunctions find_optimizer(const char *name) {
    const struct {
        const char *name;
        OptimizerFunctions functions;
    } table[] = {
        {"gradient_descent", optimizer_functions<T, GradientDescent>()},
        {"momentum", optimizer_functions<T, Momentum>()},
        {"nesterov", optimizer_functions<T, Nesterov>()},
        {"adam", optimizer_functions<T, Adam>()},
        {"rmsprop", optimizer_functions<T, RMSProp>()},
    };
    for (const auto &row : table) {
        if (std::strcmp(row.name, name) == 0) return row.functions;
    }
    return {0, 0, nullptr, nullptr};
}

}  // namespace skbackprop

#endif
