// Instructions that the processor supports.

#ifndef SKBACKPROP_PROCESSOR_H
#define SKBACKPROP_PROCESSOR_H

namespace skbackprop {

inline bool has_avx2() {
#if defined(__x86_64__) && defined(__GNUC__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

}  // namespace skbackprop

#endif
