// Statistics of the columns of a matrix, and a test for infinite values and NaN.

#ifndef SKBACKPROP_STATISTICS_H
#define SKBACKPROP_STATISTICS_H

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "inputs.h"

namespace skbackprop {

// Return whether all values are finite.
template <class T> bool all_finite(const void *values_, ptrdiff_t n) {
    const ReleasedLock lock(n);
    const T *values = (const T *)values_;
    ptrdiff_t n_other = 0;
#pragma omp simd reduction(+ : n_other)
    for (ptrdiff_t i = 0; i < n; ++i) n_other += T(0) * values[i] != T(0);
    return n_other == 0;
}

// Rows whose values are added to the statistics together, so that each statistic is
// loaded and stored once for all of them.
constexpr int GROUP_ROWS = 4;

template <class In, int N> struct RowGroup {
    static constexpr int n_rows = N;
    const In *x[N];
    double weight[N];

    RowGroup(const Rows &rows, const double *weights, ptrdiff_t first) {
        for (int k = 0; k < N; ++k) {
            x[k] = rows.row<In>(first + k);
            weight[k] = weights[first + k];
        }
    }
};

// Call f with all rows, in groups.
template <class In, class Function>
void for_groups(const Rows &rows, const double *weights, Function f) {
    ptrdiff_t i = 0;
    for (; i + GROUP_ROWS <= rows.n_rows; i += GROUP_ROWS) {
        f(RowGroup<In, GROUP_ROWS>(rows, weights, i));
    }
    for (; i < rows.n_rows; ++i) f(RowGroup<In, 1>(rows, weights, i));
}

template <class In> bool has_missing(const Rows &rows) {
    if constexpr (std::is_floating_point_v<In>) {
        for (ptrdiff_t i = 0; i < rows.n_rows; ++i) {
            const In *x = rows.row<In>(i);
            int n_missing = 0;
#pragma omp simd reduction(+ : n_missing)
            for (ptrdiff_t j = 0; j < rows.n_columns; ++j) n_missing += x[j] != x[j];
            if (n_missing) return true;
        }
    }
    return false;
}

// One value per column. Known values are those that are not NaN.
struct Moments {
    double *mean, *var;
    double *n_known;
    double *weight_sum;  // sum of the weights of the known values
    double *first;       // first known value, 0 if there is none
    double *correction;  // rounding error of the mean
};

template <class In> void find_first_known(const Rows &rows, double *first) {
    for (ptrdiff_t j = 0; j < rows.n_columns; ++j) {
        ptrdiff_t i = 0;
        while (i < rows.n_rows && rows.row<In>(i)[j] != rows.row<In>(i)[j]) ++i;
        first[j] = i < rows.n_rows ? double(rows.row<In>(i)[j]) : 0.0;
    }
}

// Count the known values of a group of rows, and add their weights.
template <class Group>
void add_to_weights(const Group &group, ptrdiff_t n_columns, const Moments &m) {
#pragma omp simd
    for (ptrdiff_t j = 0; j < n_columns; ++j) {
        double n_known = m.n_known[j], weight_sum = m.weight_sum[j];
        for (int k = 0; k < group.n_rows; ++k) {
            const auto x = group.x[k][j];
            const double weight = group.weight[k];
            n_known += x == x ? 1.0 : 0.0;
            weight_sum += x == x ? weight : 0.0;
        }
        m.n_known[j] = n_known, m.weight_sum[j] = weight_sum;
    }
}

// Add the known values of a group of rows, relative to the first known value.
template <bool HAS_MISSING, class Group>
void add_to_mean(const Group &group, ptrdiff_t n_columns, const Moments &m) {
#pragma omp simd
    for (ptrdiff_t j = 0; j < n_columns; ++j) {
        double mean = m.mean[j];
        for (int k = 0; k < group.n_rows; ++k) {
            const auto x = group.x[k][j];
            const double difference = double(x) - m.first[j];
            mean += group.weight[k] * (!HAS_MISSING || x == x ? difference : 0.0);
        }
        m.mean[j] = mean;
    }
}

// Add the squared deviations from the mean of a group of rows.
template <bool HAS_MISSING, class Group>
void add_to_variance(const Group &group, ptrdiff_t n_columns, const Moments &m) {
#pragma omp simd
    for (ptrdiff_t j = 0; j < n_columns; ++j) {
        double correction = m.correction[j], var = m.var[j];
        for (int k = 0; k < group.n_rows; ++k) {
            const auto x = group.x[k][j];
            const double difference = double(x) - m.first[j] - m.mean[j];
            const double deviation = !HAS_MISSING || x == x ? difference : 0.0;
            correction += group.weight[k] * deviation;
            var += group.weight[k] * (deviation * deviation);
        }
        m.correction[j] = correction, m.var[j] = var;
    }
}

// Compute the moments of all rows. All arrays of the moments are 0 at first. Differences
// from the first known value make the moments of constant columns exact.
template <class In, bool HAS_MISSING>
void compute_moments(const Rows &rows, const double *weights, const Moments &m) {
    const ptrdiff_t n = rows.n_columns;
    find_first_known<In>(rows, m.first);
    if constexpr (HAS_MISSING) {
        for_groups<In>(rows, weights,
                       [&](const auto &group) { add_to_weights(group, n, m); });
    } else {
        std::fill(m.n_known, m.n_known + n, double(rows.n_rows));
        std::fill(m.weight_sum, m.weight_sum + n, sum(weights, rows.n_rows));
    }
    for_groups<In>(rows, weights,
                   [&](const auto &group) { add_to_mean<HAS_MISSING>(group, n, m); });
    for (ptrdiff_t j = 0; j < n; ++j) {
        if (m.weight_sum[j] > 0.0) m.mean[j] /= m.weight_sum[j];
    }
    for_groups<In>(rows, weights, [&](const auto &group) {
        add_to_variance<HAS_MISSING>(group, n, m);
    });
    for (ptrdiff_t j = 0; j < n; ++j) {
        const double weight_sum = m.weight_sum[j] > 0.0 ? m.weight_sum[j] : 1.0;
        const double correction = m.correction[j] / weight_sum;
        m.var[j] = std::max(m.var[j] / weight_sum - correction * correction, 0.0);
        m.mean[j] = m.first[j] + (m.mean[j] + correction);
    }
}

// Compute the moments of rows of any numeric type; return whether it is supported.
inline bool column_moments(Type type, const Rows &rows, const double *weights,
                           const Moments &m) {
    const ReleasedLock lock(rows.size());
    return with_type(type.kind, type.size, [&](auto x) {
        using In = decltype(x);
        if (has_missing<In>(rows)) {
            compute_moments<In, true>(rows, weights, m);
        } else {
            compute_moments<In, false>(rows, weights, m);
        }
    });
}

// Minimum, maximum, and total weight of the nonzero values of each column.
struct Ranges {
    double *low, *high, *nonzero_weight;
};

template <class Group>
void add_to_ranges(const Group &group, ptrdiff_t n_columns, const Ranges &r) {
#pragma omp simd
    for (ptrdiff_t j = 0; j < n_columns; ++j) {
        double low = r.low[j], high = r.high[j], nonzero_weight = r.nonzero_weight[j];
        for (int k = 0; k < group.n_rows; ++k) {
            const double x = double(group.x[k][j]), weight = group.weight[k];
            low = x < low ? x : low;  // NaN changes no range
            high = x > high ? x : high;
            nonzero_weight += x != 0.0 ? weight : 0.0;
        }
        r.low[j] = low, r.high[j] = high, r.nonzero_weight[j] = nonzero_weight;
    }
}

// Compute the ranges of rows of any numeric type; return whether it is supported.
inline bool column_ranges(Type type, const Rows &rows, const double *weights,
                          const Ranges &r) {
    const ReleasedLock lock(rows.size());
    const ptrdiff_t n = rows.n_columns;
    std::fill(r.low, r.low + n, std::numeric_limits<double>::infinity());
    std::fill(r.high, r.high + n, -std::numeric_limits<double>::infinity());
    std::fill(r.nonzero_weight, r.nonzero_weight + n, 0.0);
    const bool is_supported = with_type(type.kind, type.size, [&](auto x) {
        for_groups<decltype(x)>(
            rows, weights, [&](const auto &group) { add_to_ranges(group, n, r); });
    });
    for (ptrdiff_t j = 0; j < n; ++j) {
        if (r.low[j] > r.high[j]) r.low[j] = r.high[j] = std::nan("");
    }
    return is_supported;
}

}  // namespace skbackprop

#endif
