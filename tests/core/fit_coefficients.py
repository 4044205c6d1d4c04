"""Print the polynomial coefficients of skbackprop/core/kernels/vector_math.h.

Each polynomial interpolates its function at Chebyshev nodes, computed with 60
digits. Its largest error is close to the smallest that its degree allows (see
Muller, "Elementary Functions", 3rd ed., chapter 3). Requires mpmath.
"""

import mpmath as mp
import numpy as np

mp.mp.dps = 60


def exp_tail(r):
    """exp(r) = 1 + r + r^2 * exp_tail(r)."""
    if abs(r) < 1e-30:  # the quotient would lose its digits to cancellation
        return mp.mpf(0.5)
    return (mp.expm1(r) - r) / r**2


def log_tail(y):
    """log((1 + s) / (1 - s)) = 2 s + s y * log_tail(y) with y = s^2."""
    s = mp.sqrt(y)
    return (2 * mp.atanh(s) / s - 2) / y


def tanh_tail(y):
    """tanh(x) = x + x y * tanh_tail(y) with y = x^2."""
    x = mp.sqrt(y)
    return (mp.tanh(x) / x - 1) / y


def normal_tail_fit(t):
    """Phi(-a) = exp(-a^2/2) / (5/4 + a) * (1/2 + normal_tail_fit(t)), a as below.

    5/4 makes the function flat at a = 0, so that rounding errors of t matter less.
    """
    a = 4 * (1 + t) / (1 - t)
    return (mp.mpf(5) / 4 + a) * mp.exp(a**2 / 2) * mp.erfc(a / mp.sqrt(2)) / 2 - 0.5


def chebyshev_nodes(low, high, count):
    angles = [mp.pi * (2 * i + 1) / (2 * count) for i in range(count)]
    return [(low + high) / 2 + (high - low) / 2 * mp.cos(angle) for angle in angles]


def fit(function, low, high, degree):
    """Return the coefficients, lowest power first, and the largest error found."""
    low, high = mp.mpf(low), mp.mpf(high)
    nodes = chebyshev_nodes(low, high, degree + 1)
    powers = mp.matrix([[x**j for j in range(degree + 1)] for x in nodes])
    coefficients = mp.lu_solve(powers, mp.matrix([function(x) for x in nodes]))
    highest_first = list(coefficients)[::-1]
    errors = [
        abs(mp.polyval(highest_first, x) - function(x))
        for x in chebyshev_nodes(low, high, 97)
    ]
    return list(coefficients), max(errors)


def print_polynomial(function, low, high, degree, dtype):
    coefficients, error = fit(function, low, high, degree)
    print(f"{function.__name__}, {dtype.__name__}, error {mp.nstr(error, 2)}:")
    for coefficient in coefficients:
        print(f"    {dtype(mp.nstr(coefficient, 30))!s},")


def print_split_ln2(bits, dtype):
    """Print ln 2 as high + low, where high has only the given number of bits."""
    high = mp.floor(mp.log(2) * 2**bits) / 2**bits
    low = mp.log(2) - high
    print(f"ln2_high {dtype.__name__}: {dtype(mp.nstr(high, 30))!s}")
    print(f"ln2_low {dtype.__name__}: {dtype(mp.nstr(low, 30))!s}")


def main():
    for dtype, degrees, limit, bits in [
        (np.float64, (10, 6, 10, 23), 39, 42),
        (np.float32, (5, 2, 4, 10), 14.5, 15),
    ]:
        r = mp.log(2) / 2 * 1.001
        s = (mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)
        t = mp.mpf(limit - 4) / (limit + 4)
        print_split_ln2(bits, dtype)
        print_polynomial(exp_tail, -r, r, degrees[0], dtype)
        print_polynomial(log_tail, 0, s**2, degrees[1], dtype)
        print_polynomial(tanh_tail, 0, 0.55**2, degrees[2], dtype)
        print_polynomial(normal_tail_fit, -1, t, degrees[3], dtype)


if __name__ == "__main__":
    main()
