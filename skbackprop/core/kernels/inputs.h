// Batches: rows and targets are copied, converted and transformed in one pass.

#ifndef SKBACKPROP_INPUTS_H
#define SKBACKPROP_INPUTS_H

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "loops.h"

namespace skbackprop {

// Rows of a matrix. The values of a row are contiguous.
struct Rows {
    const char *data;
    ptrdiff_t stride;        // number of bytes from one row to the next
    const ptrdiff_t *index;  // row numbers; null for rows 0, 1, ..., n_rows - 1
    ptrdiff_t n_rows, n_columns;

    template <class T> const T *row(ptrdiff_t i) const {
        return (const T *)(data + (index ? index[i] : i) * stride);
    }
    ptrdiff_t size() const { return n_rows * n_columns; }
};

// Number of rows that are requested from memory in advance.
constexpr ptrdiff_t AHEAD = 4, CACHE_LINE = 64;

// Request a row from memory, because the processor cannot predict the row numbers.
inline void prefetch(const Rows &rows, ptrdiff_t i, ptrdiff_t n_bytes) {
#if defined(__GNUC__)
    if (!rows.index || i >= rows.n_rows) return;
    const char *row = rows.row<char>(i);
    for (ptrdiff_t j = 0; j < n_bytes; j += CACHE_LINE) __builtin_prefetch(row + j);
#endif
}

// Transform of each column: (x - center) * factor, in [-bound, bound]. The pointers are
// null if the values are only converted. Missing values (NaN) are replaced by `missing`
// unless it is null.
struct ColumnTransform {
    const void *center, *factor;  // of the dtype in which the difference is computed
    const void *bound, *missing;  // of the dtype of the network
};

template <class In, class D, class T>
void standardize_row(const In *x, T *out, ptrdiff_t n, const ColumnTransform &t) {
    const D *center = (const D *)t.center, *factor = (const D *)t.factor;
    const T *bound = (const T *)t.bound;
#pragma omp simd
    for (ptrdiff_t j = 0; j < n; ++j) {
        const T difference = T(D(x[j]) - center[j]);
        const T z = T(difference * factor[j]);
        const T below = z > bound[j] ? bound[j] : z;  // NaN stays NaN
        out[j] = below < -bound[j] ? -bound[j] : below;
    }
}

template <class In, class T> void convert_row(const In *x, T *out, ptrdiff_t n) {
    if constexpr (std::is_same_v<In, T>) {
        std::memcpy(out, x, n * sizeof(T));
    } else {
#pragma omp simd
        for (ptrdiff_t j = 0; j < n; ++j) out[j] = T(x[j]);
    }
}

template <class T> void impute_row(T *out, ptrdiff_t n, const T *missing) {
#pragma omp simd
    for (ptrdiff_t j = 0; j < n; ++j) out[j] = out[j] == out[j] ? out[j] : missing[j];
}

// Copy and transform rows. `out_stride` is the number of values between rows of `out`.
template <class In, class D, class T>
void read_rows(const Rows &rows, T *out, ptrdiff_t out_stride, const ColumnTransform &t) {
    const ptrdiff_t n = rows.n_columns;
    for (ptrdiff_t i = 0; i < rows.n_rows; ++i) {
        prefetch(rows, i + AHEAD, n * sizeof(In));
        const In *x = rows.row<In>(i);
        T *row = out + i * out_stride;
        if (t.center) {
            standardize_row<In, D>(x, row, n, t);
        } else {
            convert_row(x, row, n);
        }
        if (t.missing) impute_row(row, n, (const T *)t.missing);
    }
}

// Call f with a value of the type of an array; return whether the type is supported.
template <class Function> bool with_type(char kind, ptrdiff_t size, Function f) {
    switch (kind << 8 | size) {
        case 'f' << 8 | 4: f(float()); return true;
        case 'f' << 8 | 8: f(double()); return true;
        case 'i' << 8 | 1: f(std::int8_t()); return true;
        case 'i' << 8 | 2: f(std::int16_t()); return true;
        case 'i' << 8 | 4: f(std::int32_t()); return true;
        case 'i' << 8 | 8: f(std::int64_t()); return true;
        case 'b' << 8 | 1:
        case 'u' << 8 | 1: f(std::uint8_t()); return true;
        case 'u' << 8 | 2: f(std::uint16_t()); return true;
        case 'u' << 8 | 4: f(std::uint32_t()); return true;
        case 'u' << 8 | 8: f(std::uint64_t()); return true;
        default: return false;
    }
}

// Kind and size in bytes of the values of an array, as in NumPy.
struct Type {
    char kind;
    ptrdiff_t size;
};

// Copy and transform rows of any numeric type, with differences in the type D.
template <class D, class T>
bool read_inputs(Type type, const Rows &rows, void *out, ptrdiff_t out_stride,
                 const ColumnTransform &t) {
    const ReleasedLock lock(rows.size());
    return with_type(type.kind, type.size, [&](auto x) {
        read_rows<decltype(x), D>(rows, (T *)out, out_stride, t);
    });
}

// Write 1 where one of some features is missing (NaN), and 0 elsewhere.
template <class T>
bool read_indicators(Type type, const Rows &rows, const ptrdiff_t *features,
                     ptrdiff_t n_features, void *out, ptrdiff_t out_stride) {
    return with_type(type.kind, type.size, [&](auto x) {
        for (ptrdiff_t i = 0; i < rows.n_rows; ++i) {
            const auto *row = rows.row<decltype(x)>(i);
            T *indicators = (T *)out + i * out_stride;
            for (ptrdiff_t k = 0; k < n_features; ++k) {
                indicators[k] = T(row[features[k]] != row[features[k]]);
            }
        }
    });
}

// Write the one-hot encoding of category codes. Negative codes are unknown categories,
// whose columns are all 0.
template <class T>
void read_categories(const Rows &rows, const std::int32_t *first_levels,
                     ptrdiff_t n_levels, void *out, ptrdiff_t out_stride) {
    const ReleasedLock lock(rows.n_rows * n_levels);
    for (ptrdiff_t i = 0; i < rows.n_rows; ++i) {
        const auto *codes = rows.row<std::int32_t>(i);
        T *row = (T *)out + i * out_stride;
        std::fill(row, row + n_levels, T(0));
        for (ptrdiff_t k = 0; k < rows.n_columns; ++k) {
            const ptrdiff_t level = first_levels[k] + ptrdiff_t(codes[k]);
            if (codes[k] >= 0 && level < n_levels) row[level] = T(1);
        }
    }
}

// Row of the table of targets for each sample of a batch: codes[index[i]]. Without an
// index, i replaces index[i]; without codes, the row number itself is used.
struct TargetRows {
    const ptrdiff_t *codes, *index;
    ptrdiff_t n_rows;

    ptrdiff_t operator[](ptrdiff_t i) const {
        const ptrdiff_t row = index ? index[i] : i;
        return codes ? codes[row] : row;
    }
    bool are_below(ptrdiff_t limit) const {
        for (ptrdiff_t i = 0; i < n_rows; ++i) {
            if ((*this)[i] < 0 || (*this)[i] >= limit) return false;
        }
        return true;
    }
};

// Write one-hot targets column by column; return false if a class does not exist.
template <class T> bool one_hot(const TargetRows &rows, void *y_, ptrdiff_t n_classes) {
    if (!rows.are_below(n_classes)) return false;
    T *y = (T *)y_;
    std::fill(y, y + rows.n_rows * n_classes, T(0));
    for (ptrdiff_t i = 0; i < rows.n_rows; ++i) y[rows[i] * rows.n_rows + i] = T(1);
    return true;
}

// Copy rows of a table, whose columns are contiguous; return false if there is no row.
template <class T>
bool copy_targets(const TargetRows &rows, const void *table, ptrdiff_t table_length,
                  void *y_, ptrdiff_t n_outputs) {
    if (!rows.are_below(table_length)) return false;
    T *y = (T *)y_;
    for (ptrdiff_t k = 0; k < n_outputs; ++k) {
        const T *column = (const T *)table + k * table_length;
        for (ptrdiff_t i = 0; i < rows.n_rows; ++i) *y++ = column[rows[i]];
    }
    return true;
}

}  // namespace skbackprop

#endif
