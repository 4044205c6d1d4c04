// Dropout masks, drawn and applied in one pass.

#ifndef SKBACKPROP_DROPOUT_H
#define SKBACKPROP_DROPOUT_H

#include <algorithm>
#include <cstdint>

#include "loops.h"

namespace skbackprop {

// Return a random number of 32 bits for a counter and a key. The shifts and factors are
// those of the hash function with the smallest bias in Wellons, "Prospecting for hash
// functions" (2018).
inline std::uint32_t random_bits(std::uint32_t counter, std::uint64_t key) {
    std::uint32_t x = counter * 0x9e3779b9u + std::uint32_t(key);
    x = (x ^ (x >> 16)) * 0x21f0aaadu;
    x ^= std::uint32_t(key >> 32);
    x = (x ^ (x >> 15)) * 0x735a2d97u;
    return x ^ (x >> 15);
}

// Number of values of a block, whose indices fit into 32 bits.
constexpr ptrdiff_t BLOCK = 1 << 20;

// Write a * mask into out. The mask of a kept value is 1 / keep_probability, the mask of a
// dropped value is 0.
template <class T>
void drop_out(const void *a_, void *mask_, void *out_, ptrdiff_t n, std::uint64_t key,
              double keep_probability) {
    const ReleasedLock lock(n);
    const T *a = (const T *)a_;
    T *mask = (T *)mask_, *out = (T *)out_;
    const auto limit = std::int32_t(keep_probability * (1 << 24));
    const T scale = T(1.0 / keep_probability);
    for (ptrdiff_t start = 0; start < n; start += BLOCK) {
        // With an index of 32 bits, the counters need no conversion.
        const auto size = std::int32_t(std::min(BLOCK, n - start));
        const auto first = std::uint32_t(start);
#pragma omp simd
        for (std::int32_t i = 0; i < size; ++i) {
            const auto bits = random_bits(first + std::uint32_t(i), key);
            const T factor = std::int32_t(bits >> 8) < limit ? scale : T(0);
            mask[start + i] = factor;
            out[start + i] = a[start + i] * factor;
        }
    }
}

}  // namespace skbackprop

#endif
