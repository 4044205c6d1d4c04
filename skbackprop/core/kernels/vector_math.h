// Elementary functions for loops that the compiler vectorizes.
//
//   #pragma omp simd
//   for (std::size_t i = 0; i < n; ++i) out[i] = vector_math::exp(z[i]);
//
// Every function is a straight line of additions, multiplications, divisions, integer
// operations and selects. There are no branches, tables or calls, because these keep a
// compiler from vectorizing a loop. Errors are below 2 ulp (units in the last place)
// with and without fused multiply-add (FMA), but not with -ffast-math;
// see tests/core/test_kernels.py.
//
// tests/core/fit_coefficients.py prints the polynomial coefficients and both parts of ln 2.
// Background: J.-M. Muller, "Elementary Functions", 3rd ed., Birkhauser, 2016.
#ifndef VECTOR_MATH_H
#define VECTOR_MATH_H

#include <cstdint>
#include <cstring>
#include <limits>

#if defined(_MSC_VER) && !defined(__clang__)
#define VECTOR_MATH_INLINE static __forceinline
#else
#define VECTOR_MATH_INLINE static inline __attribute__((always_inline))
#endif

namespace vector_math {

// ---- Number formats -----------------------------------------------------------------

template <class T>
struct Format;

template <>
struct Format<double> {
  using Bits = std::uint64_t;
  static constexpr int fraction_bits = 52;
  static constexpr Bits exponent_bias = 1023;
  static constexpr Bits sqrt_half_bits = 0x3fe6a09e667f3bcdu;  // sqrt(1/2)
  static constexpr double two_to_fraction_bits = 0x1p52;
  // Adding this number to a small x rounds x to an integer, because the last bit of
  // the sum has the value 1. See Reduced::k_bits for the term 2 * exponent_bias.
  static constexpr double rounding_shift = 0x1.8p52 + 2 * 1023;
  // ln2_high has 42 bits, so its product with an exponent is exact.
  static constexpr double ln2_high = 0.6931471805598903;
  static constexpr double ln2_low = 5.497923018708371e-14;
  // exp(x) is 0 below the first limit and infinite above the second one.
  static constexpr double exp_lowest = -746, exp_highest = 710;
  // Phi(-a) is 0 above this limit.
  static constexpr double normal_limit = 39;
};

template <>
struct Format<float> {
  using Bits = std::uint32_t;
  static constexpr int fraction_bits = 23;
  static constexpr Bits exponent_bias = 127;
  static constexpr Bits sqrt_half_bits = 0x3f3504f3u;
  static constexpr float two_to_fraction_bits = 0x1p23f;
  static constexpr float rounding_shift = 0x1.8p23f + 2 * 127;
  static constexpr float ln2_high = 0.69314575f;
  static constexpr float ln2_low = 1.4286068e-06f;
  static constexpr float exp_lowest = -104.5f, exp_highest = 89;
  static constexpr float normal_limit = 14.5f;
};

template <class T>
using Bits = typename Format<T>::Bits;

template <class T>
VECTOR_MATH_INLINE Bits<T> to_bits(T x) {
  Bits<T> bits;
  std::memcpy(&bits, &x, sizeof x);
  return bits;
}

template <class T>
VECTOR_MATH_INLINE T from_bits(Bits<T> bits) {
  T x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

// ---- Building blocks ----------------------------------------------------------------

template <class T>
constexpr Bits<T> sign_bit = Bits<T>(1) << (8 * sizeof(T) - 1);

template <class T>
VECTOR_MATH_INLINE T absolute(T x) {
  return from_bits<T>(to_bits(x) & ~sign_bit<T>);
}

template <class T>
VECTOR_MATH_INLINE T copy_sign(T magnitude, T sign) {
  return from_bits<T>(to_bits(magnitude) | (to_bits(sign) & sign_bit<T>));
}

// min(x, limit) that keeps NaN.
template <class T>
VECTOR_MATH_INLINE T at_most(T x, T limit) {
  return x > limit ? limit : x;
}

// x with the lower half of its significand cleared, so that its square is exact.
template <class T>
VECTOR_MATH_INLINE T upper_half(T x) {
  constexpr int cleared_bits = Format<T>::fraction_bits / 2 + 1;
  return from_bits<T>(to_bits(x) >> cleared_bits << cleared_bits);
}

// sum + error = a + b exactly.
template <class T>
struct ExactSum {
  T sum, error;
};

// Dekker's Fast2Sum, for |a| >= |b| or a = 0.
template <class T>
VECTOR_MATH_INLINE ExactSum<T> fast_two_sum(T a, T b) {
  const T sum = a + b;
  return {sum, b - (sum - a)};
}

// Knuth's TwoSum, for any a and b.
template <class T>
VECTOR_MATH_INLINE ExactSum<T> two_sum(T a, T b) {
  const T sum = a + b;
  const T b_used = sum - a;
  return {sum, (a - (sum - b_used)) + (b - b_used)};
}

// c0 + y c2 + y^2 c4 + ... by Horner's rule.
template <class T>
VECTOR_MATH_INLINE T even_terms(T, T c0) {
  return c0;
}

template <class T>
VECTOR_MATH_INLINE T even_terms(T, T c0, T) {
  return c0;
}

template <class T, class... Rest>
VECTOR_MATH_INLINE T even_terms(T y, T c0, T, Rest... rest) {
  return c0 + y * even_terms(y, rest...);
}

// c0 + x c1 + x^2 c2 + ... The even and the odd powers form two independent chains of
// operations, which a processor runs in parallel.
template <class T, class... Rest>
VECTOR_MATH_INLINE T polynomial(T x, T c0, Rest... rest) {
  return even_terms(x * x, c0, rest...) + x * even_terms(x * x, rest...);
}

// ---- Fitted polynomials: see tests/core/fit_coefficients.py ------------------------------------

// exp(r) = 1 + r + r^2 exp_tail(r) for |r| <= ln(2) / 2.
VECTOR_MATH_INLINE double exp_tail(double r) {
  return polynomial(
      r, 0.5, 0.1666666666666667, 0.04166666666666667, 0.008333333333326084,
      0.0013888888888883711, 0.0001984126987500228, 2.480158732567746e-05,
      2.755725517000089e-06, 2.755727347871858e-07, 2.5105312729622103e-08,
      2.09147553258932e-09);
}

VECTOR_MATH_INLINE float exp_tail(float r) {
  return polynomial(
      r, 0.5f, 0.16666667f, 0.041666463f, 0.0083333105f, 0.0013933731f, 0.0001989108f);
}

// log((1 + s) / (1 - s)) = 2 s + s^3 log_tail(s^2) for |s| <= 0.1716.
VECTOR_MATH_INLINE double log_tail(double y) {
  return polynomial(
      y, 0.666666666666667, 0.39999999999899505, 0.28571428625975487,
      0.2222221113479508, 0.18182889125261723, 0.15331721600556042,
      0.14616449685043406);
}

VECTOR_MATH_INLINE float log_tail(float y) {
  return polynomial(
      y, 0.66666687f, 0.3998878f, 0.2957995f);
}

// tanh(x) = x + x^3 tanh_tail(x^2) for |x| <= 0.55.
VECTOR_MATH_INLINE double tanh_tail(double y) {
  return polynomial(
      y, -0.3333333333333333, 0.13333333333332714, -0.053968253967434016,
      0.021869488493666944, -0.008863234397814355, 0.003592110378689024,
      -0.001455661830100716, 0.0005889360520074057, -0.0002346347410887237,
      8.511313685577671e-05, -2.060276537636634e-05);
}

VECTOR_MATH_INLINE float tanh_tail(float y) {
  return polynomial(
      y, -0.3333333f, 0.13333113f, -0.05390943f, 0.021309389f, -0.0066102277f);
}

// Phi(-a) = exp(-a^2/2) / (5/4 + a) * (1/2 + normal_tail_fit(t)) for
// t = (a - 4) / (a + 4) and 0 <= a <= normal_limit.
VECTOR_MATH_INLINE double normal_tail_fit(double t) {
  return polynomial(
      t, -0.004344133164663084, -0.13930290771363968, 0.04509444855924117,
      0.010673512219116867, -0.024481636401500282, 0.015813073609139673,
      -0.004875488072412469, -0.00012591963500984058, 0.0006481010385933362,
      -0.0001058189773273878, -8.069110667285065e-05, 2.2407935847233808e-05,
      1.2551019378688686e-05, -3.639530846180308e-06, -2.4476425089852176e-06,
      4.559076584326974e-07, 5.286642200750154e-07, -1.1568388064155238e-08,
      -1.0889751614349992e-07, -1.7147081183692357e-08, 1.783694975263012e-08,
      5.88821061100436e-09, -1.631648197848607e-09, -7.86219491625772e-10);
}

VECTOR_MATH_INLINE float normal_tail_fit(float t) {
  return polynomial(
      t, -0.004344133f, -0.1393029f, 0.04509444f, 0.01067325f, -0.024481475f,
      0.015815813f, -0.0048763175f, -0.00013826428f, 0.0006477437f, -7.979584e-05f,
      -7.215856e-05f);
}

// ---- Exponentials -------------------------------------------------------------------

// x = k ln 2 + r + r_error with an integer k and |r| <= ln(2) / 2.
template <class T>
struct Reduced {
  T r, r_error;    // r_error is the rounding error of r
  Bits<T> k_bits;  // the low bits hold k + 2 * exponent_bias, which is positive
};

// Reduce x + x_low. The small correction x_low changes only r, not k.
template <class T>
VECTOR_MATH_INLINE Reduced<T> reduce(T x, T x_low = 0) {
  using F = Format<T>;
  constexpr T log2_e = T(1.4426950408889634);
  const T shifted = x * log2_e + F::rounding_shift;
  const T k = shifted - F::rounding_shift;
  const T r_high = x - k * F::ln2_high;  // exact
  const T r_low = k * F::ln2_low - x_low;
  const T r = r_high - r_low;
  return {r, (r_high - r) - r_low, to_bits(shifted)};
}

// 2^k for the k of a Reduced. The result must be a normal number.
template <class T>
VECTOR_MATH_INLINE T power_of_two(Bits<T> k_bits) {
  using F = Format<T>;
  return from_bits<T>((k_bits - F::exponent_bias) << F::fraction_bits);
}

// x * 2^k for any k of a Reduced. Two factors reach beyond the exponents of normal
// numbers. Only the second product rounds.
template <class T>
VECTOR_MATH_INLINE T scale(T x, Bits<T> k_bits) {
  constexpr int fraction_bits = Format<T>::fraction_bits;
  const Bits<T> half = k_bits >> 1;
  const T first = from_bits<T>(half << fraction_bits);
  const T second = from_bits<T>((k_bits - half) << fraction_bits);
  return x * first * second;
}

// exp(r) - 1 for |r| <= ln(2) / 2.
template <class T>
VECTOR_MATH_INLINE T expm1_reduced(T r) {
  return r + r * r * exp_tail(r);
}

template <class T>
VECTOR_MATH_INLINE T exp(T x) {
  using F = Format<T>;
  x = at_most(x < F::exp_lowest ? F::exp_lowest : x, F::exp_highest);
  const Reduced<T> e = reduce(x);
  return scale(1 + expm1_reduced(e.r), e.k_bits);
}

template <class T>
VECTOR_MATH_INLINE T expm1(T x) {
  using F = Format<T>;
  const T clamped = at_most(x < -50 ? T(-50) : x, F::exp_highest);
  const Reduced<T> e = reduce(clamped);
  // Half of the result is (p - 1/2) + p (exp(r) - 1) with p = 2^(k-1): 2^k could
  // overflow. The sum of the two largest terms p - 1/2 and p r is exact.
  const T p = power_of_two<T>(e.k_bits - 1);
  const ExactSum<T> s = fast_two_sum(p - T(0.5), p * e.r);
  const T result = 2 * (s.sum + (s.error + p * (e.r * e.r * exp_tail(e.r))));
  // expm1(x) = x for tiny x. This keeps -0 and subnormal numbers.
  return absolute(x) < std::numeric_limits<T>::epsilon() / 4 ? x : result;
}

// 1 / (1 + exp(-z))
template <class T>
VECTOR_MATH_INLINE T sigmoid(T z) {
  const T e = exp(-absolute(z));
  const T quotient = (z < 0 ? e : T(1)) / (1 + e);
  // e / (1 + e) = e - e^2 / (1 + e), which rounds less for small e.
  const T lower_tail = e - e * quotient;
  return z < T(-1) ? lower_tail : quotient;
}

template <class T>
VECTOR_MATH_INLINE T tanh(T x) {
  const T a = at_most(absolute(x), T(20));
  const T square = a * a;
  const T small = a + a * (square * tanh_tail(square));
  const Reduced<T> e = reduce(2 * a);
  const T power = power_of_two<T>(e.k_bits);
  const T exp_2a = power + power * expm1_reduced(e.r);
  const T large = 1 - 2 / (exp_2a + 1);
  return copy_sign(a < T(0.55) ? small : large, x);
}

// ---- Logarithms ---------------------------------------------------------------------

// x = 2^k m with 1/sqrt(2) <= m < sqrt(2).
template <class T>
struct Split {
  T k, m, inverse_power;  // inverse_power = 2^(1-k), or 0 where this is subnormal
};

// Split a positive normal number.
template <class T>
VECTOR_MATH_INLINE Split<T> split(T x) {
  using F = Format<T>;
  constexpr Bits<T> one = F::exponent_bias << F::fraction_bits;
  constexpr Bits<T> sqrt_half = F::sqrt_half_bits;
  constexpr Bits<T> fraction_mask = (Bits<T>(1) << F::fraction_bits) - 1;
  // The exponent of x * sqrt(2), in bits, is k.
  const Bits<T> shifted = to_bits(x) + (one - sqrt_half);
  const Bits<T> biased_k = shifted >> F::fraction_bits;
  // Put the integer into the fraction of 2^fraction_bits to convert it.
  const T biased = from_bits<T>(biased_k | to_bits(F::two_to_fraction_bits));
  return {biased - (F::two_to_fraction_bits + T(F::exponent_bias)),
          from_bits<T>((shifted & fraction_mask) + sqrt_half),
          from_bits<T>((2 * F::exponent_bias + 1 - biased_k) << F::fraction_bits)};
}

// k ln 2 + log(1 + f) for 1/sqrt(2) <= 1 + f < sqrt(2).
template <class T>
VECTOR_MATH_INLINE T log_of_parts(T k, T f) {
  using F = Format<T>;
  // With s = f / (2 + f): log(1 + f) = log((1 + s) / (1 - s)) = 2 s + s tail, and
  // 2 s = f - s f. So log(1 + f) = f - s (f - tail), where f is the largest term.
  const T s = f / (2 + f);
  const T square = s * s;
  const T tail = square * log_tail(square);
  const ExactSum<T> sum = fast_two_sum(k * F::ln2_high, f);
  return sum.sum - (s * (f - tail) - (sum.error + k * F::ln2_low));
}

template <class T>
VECTOR_MATH_INLINE T log(T x) {
  using F = Format<T>;
  using Limits = std::numeric_limits<T>;
  // Make subnormal numbers normal.
  const bool subnormal = x < Limits::min();
  const Split<T> parts = split(subnormal ? x * (4 * F::two_to_fraction_bits) : x);
  const T k = parts.k - (subnormal ? T(F::fraction_bits + 2) : T(0));
  const T result = log_of_parts(k, parts.m - 1);
  const T special = x == 0 ? -Limits::infinity() : Limits::quiet_NaN();
  return x > 0 ? (x == Limits::infinity() ? x : result) : special;
}

// log(1 + x) for -1 < x < infinity.
template <class T>
VECTOR_MATH_INLINE T log1p_finite(T x) {
  const ExactSum<T> u = two_sum(T(1), x);
  const Split<T> parts = split(u.sum);
  const T m_error = T(0.5) * u.error * parts.inverse_power;
  return log_of_parts(parts.k, (parts.m - 1) + m_error);
}

// log(1 + exp(z))
template <class T>
VECTOR_MATH_INLINE T softplus(T z) {
  return (z < 0 ? T(0) : z) + log1p_finite(exp(-absolute(z)));
}

// ---- Normal distribution ------------------------------------------------------------

// 1 / x with a relative error of up to 1/8: the integer operation negates the exponent.
template <class T>
VECTOR_MATH_INLINE T rough_inverse(T x) {
  return from_bits<T>(2 * to_bits(T(1)) - to_bits(x));
}

// Phi(-a) for a >= 0.
template <class T>
VECTOR_MATH_INLINE T normal_tail(T a) {
  a = at_most(a, Format<T>::normal_limit);
  // a^2 = high^2 + (a - high) (a + high), where the first term is exact.
  const T high = upper_half(a);
  const Reduced<T> e =
      reduce(T(-0.5) * high * high, T(-0.5) * (a - high) * (a + high));
  const T exp_terms = e.r * e.r * exp_tail(e.r);  // exp(r) = 1 + r + exp_terms
  // Phi(-a) = exp(-a^2/2) (1/2 + g) / (5/4 + a), where g is a fitted polynomial.
  const T g = normal_tail_fit((a - 4) / (a + 4));
  const ExactSum<T> factor = fast_two_sum(T(0.5), g);
  const ExactSum<T> d = two_sum(T(1.25), a);
  // Correct for rounding errors. The one of 5/4 + a needs only a rough inverse.
  const T d_error = d.error * rough_inverse(d.sum) * (1 + e.r + exp_terms);
  const T small_terms = exp_terms + (e.r_error - d_error);
  // Multiply 1/2 + g by exp(r). Add the small products before the large ones. The
  // product r / 2 is exact.
  const T low = factor.error + (g * e.r + factor.sum * small_terms);
  const ExactSum<T> product = fast_two_sum(factor.sum, T(0.5) * e.r);
  return scale((product.sum + (product.error + low)) / d.sum, e.k_bits);
}

template <class T>
VECTOR_MATH_INLINE T normal_cdf(T z) {
  const T tail = normal_tail(absolute(z));
  return z > 0 ? 1 - tail : tail;
}

}  // namespace vector_math

#undef VECTOR_MATH_INLINE

#endif  // VECTOR_MATH_H
