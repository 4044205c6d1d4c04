"""Activation functions and their derivatives.

In each class, `forward` computes ``a = f(z)``, and `backward` multiplies a
back-propagated error by ``f'(z)``. Both methods write in place, so that a training
step allocates no array of the size of a layer.
"""

import math

import numpy as np
from scipy.special import expit, ndtr

# This is a Python float because a NumPy scalar would convert float32 arrays to
# float64.
_INV_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)


#: Number of values below which one call to `scipy.special.expit` is faster than four
#: vectorized NumPy calls.
SMALL_ARRAY_SIZE = 800


def _sigmoid(z, out):
    """Write ``1 / (1 + exp(-z))`` into `out`."""
    if z.size < SMALL_ARRAY_SIZE:
        expit(z, out=out)
        return
    np.negative(z, out=out)
    # Overflow is harmless because 1 / inf is 0.
    with np.errstate(over="ignore"):
        np.exp(out, out=out)
    out += 1.0
    np.reciprocal(out, out=out)


#: Read-only zeros of each dtype; 65,536 values are enough for most layers.
_ZEROS = {char: np.zeros(1 << 16, char) for char in "fd"}
for _zero_buffer in _ZEROS.values():
    _zero_buffer.flags.writeable = False


def _zeros(z):
    """Return zeros with the shape of `z`, or one row of zeros if `z` is large."""
    # `np.maximum` and `np.minimum` are vectorized for two arrays. With an array and a
    # scalar, they take three to five times as long.
    zeros = _ZEROS[z.dtype.char]
    if z.size <= zeros.size:
        return zeros[: z.size].reshape(z.shape)
    return np.zeros(z.shape[1], z.dtype)


class Activation:
    """Base class for activation functions.

    To add an activation, derive a class that defines `forward` and `backward`. Override
    the class attributes if their defaults do not apply. Pass an instance as
    `activation` or `output_activation`. Instead of a class, you can pass a function of
    `z` that returns ``f(z)`` and ``f'(z)``.

    Both methods process one mini-batch: each row is a sample and each column is a unit.
    They write their result in place and return None. The estimators copy the instance,
    so changes to the original have no effect on a fitted network.

    Attributes
    ----------
    needs_z : bool, default=True
        Whether `backward` reads `z`. If False, `backward` computes the derivative from
        `a` alone. Hidden layers then store `a` in the memory of `z`.
    positive : bool, default=False
        Whether all outputs are greater than zero. The Poisson loss requires a positive
        output activation.
    output_range : tuple of (float, float), default=(-inf, inf)
        Infimum and supremum of the outputs. A regressor with this output activation
        refuses targets outside this range. If only the infimum is finite,
        ``standardize=True`` divides the targets by a scale. Otherwise the targets of a
        custom activation are not scaled.
    glorot_factor : float, default=6.0
        Factor of the initial weights for ``init="auto"``. They are uniform in
        ``[-r, r]`` with ``r = sqrt(glorot_factor / (fan_in + fan_out))``; Glorot and
        Bengio (AISTATS 2010), equation 16.

    See Also
    --------
    skbackprop.check_gradients : Compare back-propagated and numerical gradients.

    Examples
    --------
    >>> import numpy as np
    >>> from skbackprop import Activation, BackpropRegressor
    >>> class Square(Activation):
    ...     def forward(self, z, out):
    ...         np.square(z, out=out)
    ...
    ...     def backward(self, delta, a, z, scratch):
    ...         delta *= 2.0
    ...         delta *= z
    >>> X = np.linspace(-1.0, 1.0, 50)[:, np.newaxis]
    >>> net = BackpropRegressor((8,), Square(), solver="lbfgs", random_state=0)
    >>> bool(net.fit(X, X[:, 0] ** 2).score(X, X[:, 0] ** 2) > 0.99)
    True
    """

    needs_z = True
    positive = False
    output_range = (-math.inf, math.inf)
    glorot_factor = 6.0
    kernel_parameter = None  # attribute that a compiled kernel depends on

    def __repr__(self):
        settings = ", ".join(f"{k}={v!r}" for k, v in vars(self).items())
        return f"{type(self).__name__}({settings})"

    def forward(self, z, out):
        """Write ``f(z)`` into `out`.

        Parameters
        ----------
        z : ndarray of shape (n_rows, n_units), float32 or float64
            Weighted inputs of the layer. Do not modify `z`, unless `out` is `z`.
        out : ndarray of the same shape and dtype
            Array that receives the activations. If `needs_z` is False, `out` can be
            `z` itself, so `forward` must support in-place operation.
        """
        raise NotImplementedError(f"{type(self).__name__} must define forward.")

    def backward(self, delta, a, z, scratch):
        """Multiply `delta` by ``f'(z)`` in place.

        Parameters
        ----------
        delta : ndarray of shape (n_rows, n_units), float32 or float64
            Error of the layer: dC/da on entry, dC/dz on return.
        a, z : ndarray of the same shape and dtype
            Activations and weighted inputs of the preceding call to `forward`. The
            content of `z` is valid only if `needs_z` is True. Both arrays may be
            overwritten, because they are not read after this call.
        scratch : ndarray of the same shape and dtype
            Buffer for temporary values, with undefined initial content.
        """
        raise NotImplementedError(f"{type(self).__name__} must define backward.")


class Identity(Activation):
    """Identity: ``f(z) = z``, the usual output activation in regression."""

    compiled_kernel = "identity"
    needs_z = False

    def forward(self, z, out):
        if out is not z:
            np.copyto(out, z)

    def backward(self, delta, a, z, scratch):
        pass


class Sigmoid(Activation):
    """Logistic sigmoid: ``f(z) = 1 / (1 + exp(-z))``.

    The derivative is ``a (1 - a)``, which never exceeds 1/4.
    """

    compiled_kernel = "sigmoid"
    needs_z = False
    positive = True
    glorot_factor = 2.0
    output_range = (0.0, 1.0)

    def forward(self, z, out):
        _sigmoid(z, out)

    def backward(self, delta, a, z, scratch):
        np.subtract(1.0, a, out=scratch)
        scratch *= a
        delta *= scratch


class Tanh(Activation):
    """Hyperbolic tangent: ``f(z) = tanh(z)``, with derivative ``1 - a**2``."""

    compiled_kernel = "tanh"
    needs_z = False
    output_range = (-1.0, 1.0)

    def forward(self, z, out):
        np.tanh(z, out=out)

    def backward(self, delta, a, z, scratch):
        np.square(a, out=scratch)
        np.subtract(1.0, scratch, out=scratch)
        delta *= scratch


class ReLU(Activation):
    """Rectified linear unit: ``f(z) = max(0, z)``.

    The derivative is 1 if ``z > 0`` and 0 otherwise, including at ``z = 0``.
    """

    compiled_kernel = "relu"
    needs_z = False
    output_range = (0.0, math.inf)

    def forward(self, z, out):
        np.maximum(z, _zeros(z), out=out)

    def backward(self, delta, a, z, scratch):
        np.greater(a, 0.0, out=scratch)
        delta *= scratch


class LeakyReLU(Activation):
    """Leaky ReLU: ``f(z) = max(z, 0.01 z)``; Maas, Hannun and Ng (ICML 2013).

    Attributes
    ----------
    negative_slope : float, default=0.01
        Derivative for negative `z`.
    """

    compiled_kernel = "leaky_relu"
    negative_slope = 0.01
    kernel_parameter = "negative_slope"

    def forward(self, z, out):
        np.multiply(z, self.negative_slope, out=out)
        np.maximum(out, z, out=out)

    def backward(self, delta, a, z, scratch):
        np.greater(z, 0.0, out=scratch)
        scratch *= 1.0 - self.negative_slope
        scratch += self.negative_slope
        delta *= scratch


class ELU(Activation):
    """Exponential linear unit; Clevert et al. (ICLR 2016).

    ``f(z) = z`` if ``z > 0``, otherwise ``f(z) = exp(z) - 1``.
    """

    compiled_kernel = "elu"
    output_range = (-1.0, math.inf)

    def forward(self, z, out):
        np.minimum(z, _zeros(z), out=out)
        np.expm1(out, out=out)
        np.maximum(out, z, out=out)

    def backward(self, delta, a, z, scratch):
        np.minimum(z, _zeros(z), out=scratch)
        np.exp(scratch, out=scratch)
        delta *= scratch


class GELU(Activation):
    """Gaussian error linear unit; Hendrycks and Gimpel (2016).

    ``f(z) = z Phi(z)``, with the cumulative distribution function Phi of the standard
    normal distribution.
    """

    compiled_kernel = "gelu"
    output_range = (-0.16997120747990369, math.inf)

    def forward(self, z, out):
        ndtr(z, out=out)
        out *= z

    def backward(self, delta, a, z, scratch):
        # f'(z) = Phi(z) + z phi(z), with the standard normal density phi.
        ndtr(z, out=scratch)
        np.square(z, out=a)
        a *= -0.5
        np.exp(a, out=a)
        a *= _INV_SQRT_2PI
        a *= z
        scratch += a
        delta *= scratch


class SiLU(Activation):
    """Sigmoid linear unit, also called swish: ``f(z) = z sigma(z)``.

    Ramachandran et al. (2017).
    """

    compiled_kernel = "silu"
    output_range = (-0.27846454276107374, math.inf)

    def forward(self, z, out):
        _sigmoid(z, out)
        out *= z

    def backward(self, delta, a, z, scratch):
        # f'(z) = sigma(z) + a (1 - sigma(z)).
        _sigmoid(z, scratch)
        np.subtract(1.0, scratch, out=z)
        z *= a
        scratch += z
        delta *= scratch


class Softplus(Activation):
    """Softplus, a smooth version of ReLU: ``f(z) = log(1 + exp(z))``.

    The derivative is ``sigma(z)``, the logistic sigmoid.
    """

    compiled_kernel = "softplus"
    positive = True
    output_range = (0.0, math.inf)

    def forward(self, z, out):
        np.logaddexp(z, 0.0, out=out)

    def backward(self, delta, a, z, scratch):
        _sigmoid(z, scratch)
        delta *= scratch


class Softmax(Activation):
    """Softmax: ``f(z)_k = exp(z_k) / sum_j exp(z_j)``.

    The outputs are the probabilities of mutually exclusive classes.
    """

    compiled_kernel = "softmax"
    needs_z = False
    positive = True
    output_range = (0.0, 1.0)

    def forward(self, z, out):
        # Subtracting the row maximum prevents overflow and does not change the result.
        classes = out.T
        np.copyto(classes, z.T)
        classes -= np.maximum.reduce(classes)
        np.exp(classes, out=classes)
        classes /= np.add.reduce(classes)

    def backward(self, delta, a, z, scratch):
        # The Jacobian of each row is diag(a) - a a^T.
        np.multiply(delta, a, out=scratch)
        delta -= np.add.reduce(scratch, axis=1, keepdims=True)
        delta *= a


class Exp(Activation):
    """Exponential: ``f(z) = exp(z)``, the mean of counts for the Poisson loss."""

    compiled_kernel = "exp"
    needs_z = False
    positive = True
    output_range = (0.0, math.inf)

    def forward(self, z, out):
        np.exp(z, out=out)

    def backward(self, delta, a, z, scratch):
        delta *= a


class CumulativeSoftplus(Activation):
    """Cumulative sum of softplus values, so that outputs increase from left to right.

    ``f(z)_1 = z_1`` and ``f(z)_k = f(z)_{k-1} + unit log(1 + exp(z_k))``. Outputs never
    decrease from left to right, so that several quantiles of one distribution do not
    cross.

    Attributes
    ----------
    unit : float, default=1.0
        Scale of the softplus values.
    """

    compiled_kernel = "increasing"
    unit = 1.0
    kernel_parameter = "unit"

    def forward(self, z, out):
        np.copyto(out[:, :1], z[:, :1])
        np.logaddexp(z[:, 1:], 0.0, out=out[:, 1:])
        out[:, 1:] *= self.unit
        np.add.accumulate(out, axis=1, out=out)

    def backward(self, delta, a, z, scratch):
        # z_k contributes to output k and to all later outputs.
        np.add.accumulate(delta[:, ::-1], axis=1, out=scratch[:, ::-1])
        np.copyto(delta, scratch)
        expit(z[:, 1:], out=scratch[:, 1:])
        delta[:, 1:] *= scratch[:, 1:]
        delta[:, 1:] *= self.unit


#: Activations of hidden layers, by the names that the estimators accept.
ACTIVATIONS = {
    "identity": Identity,
    "sigmoid": Sigmoid,
    "logistic": Sigmoid,
    "tanh": Tanh,
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "elu": ELU,
    "gelu": GELU,
    "silu": SiLU,
    "softplus": Softplus,
}

#: Activations of the output layer: all hidden activations and three more.
OUTPUT_ACTIVATIONS = {
    **ACTIVATIONS,
    "softmax": Softmax,
    "exp": Exp,
    "increasing": CumulativeSoftplus,
}
