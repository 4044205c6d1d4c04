"""Activation functions: what a neuron makes of its weighted input.

Each class holds ``a = f(z)`` beside the product of a back-propagated error
with ``f'(z)``. Both write in place, so that a training step allocates no array of
the size of a layer.
"""

import math

import numpy as np
from scipy.special import expit, ndtr

# A Python float: a NumPy scalar would turn float32 arrays into float64.
_INV_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)


#: Below so many values one call of SciPy's expit takes less time than four vectorised
#: ones of NumPy's.
SMALL_ARRAY_SIZE = 800


def _sigmoid(z, out):
    """Write ``1 / (1 + exp(-z))`` into `out`."""
    if z.size < SMALL_ARRAY_SIZE:
        expit(z, out=out)
        return
    np.negative(z, out=out)
    with np.errstate(over="ignore"):  # to infinity, of which 0 is the reciprocal
        np.exp(out, out=out)
    out += 1.0
    np.reciprocal(out, out=out)


#: Never written to; enough for the layers of all but large networks.
_ZEROS = {char: np.zeros(1 << 16, char) for char in "fd"}
for _zero_buffer in _ZEROS.values():
    _zero_buffer.flags.writeable = False


def _zeros(z):
    """Return zeros, as many as `z` has or else a row of them, to compare it with."""
    # NumPy's maximum and minimum are vectorised for two arrays, but not for an
    # array and a number, which takes three to five times as long.
    zeros = _ZEROS[z.dtype.char]
    if z.size <= zeros.size:
        return zeros[: z.size].reshape(z.shape)
    return np.zeros(z.shape[1], z.dtype)


class Activation:
    """Base of every activation function; derive from it to add your own.

    Attributes
    ----------
    needs_z : bool, default=True
        Whether `backward` reads `z`. Where it does not, `a` may overwrite `z`.
    positive : bool, default=False
        Whether every output is greater than zero, as a Poisson mean must be.
    glorot_factor : float, default=6.0
        The initial weights are uniform within ``sqrt(glorot_factor / (fan_in
        + fan_out))``; Glorot and Bengio (AISTATS 2010), equation 16.

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
    glorot_factor = 6.0

    def __repr__(self):
        settings = ", ".join(f"{k}={v!r}" for k, v in vars(self).items())
        return f"{type(self).__name__}({settings})"

    def forward(self, z, out):
        """Write ``f(z)`` into `out`.

        Parameters
        ----------
        z : ndarray of shape (n_rows, n_units), float32 or float64
            The weighted inputs.
        out : ndarray of the same shape and dtype
            Where the activations go; `z` itself unless `needs_z`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define forward")

    def backward(self, delta, a, z, scratch):
        """Multiply `delta` by ``f'(z)``, in place.

        Parameters
        ----------
        delta : ndarray of shape (n_rows, n_units), float32 or float64
            The error dC/da; dC/dz on return.
        a, z : ndarray of the same shape and dtype
            What `forward` wrote and read; `z` is valid only where `needs_z`.
            Neither is read again afterwards: they may serve as scratch too.
        scratch : ndarray of the same shape and dtype
            Free for temporary values.
        """
        raise NotImplementedError(f"{type(self).__name__} must define backward")


class Identity(Activation):
    """``f(z) = z``, the output of a regression network."""

    needs_z = False

    def forward(self, z, out):
        if out is not z:
            np.copyto(out, z)

    def backward(self, delta, a, z, scratch):
        pass

    def rescale_outputs(self, W, b, factor, shift):
        """Have outputs become ``factor * a + shift``, by weights and biases."""
        W *= factor
        b *= factor
        b += shift


class Sigmoid(Activation):
    """``f(z) = 1 / (1 + exp(-z))``; its slope ``a (1 - a)`` is 1/4 at most."""

    needs_z = False
    positive = True
    glorot_factor = 2.0

    def forward(self, z, out):
        _sigmoid(z, out)

    def backward(self, delta, a, z, scratch):
        np.subtract(1.0, a, out=scratch)
        scratch *= a
        delta *= scratch


class Tanh(Activation):
    """``f(z) = tanh(z)``, with slope ``1 - a**2``."""

    needs_z = False

    def forward(self, z, out):
        np.tanh(z, out=out)

    def backward(self, delta, a, z, scratch):
        np.square(a, out=scratch)
        np.subtract(1.0, scratch, out=scratch)
        delta *= scratch


class ReLU(Activation):
    """``f(z) = max(0, z)``, with slope 1 where ``z > 0``, else 0, at 0 too."""

    needs_z = False

    def forward(self, z, out):
        np.maximum(z, _zeros(z), out=out)

    def backward(self, delta, a, z, scratch):
        np.greater(a, 0.0, out=scratch)
        delta *= scratch


class LeakyReLU(Activation):
    """``f(z) = max(z, 0.01 z)``; Maas, Hannun and Ng (ICML 2013)."""

    negative_slope = 0.01

    def forward(self, z, out):
        np.multiply(z, self.negative_slope, out=out)
        np.maximum(out, z, out=out)

    def backward(self, delta, a, z, scratch):
        np.greater(z, 0.0, out=scratch)
        scratch *= 1.0 - self.negative_slope
        scratch += self.negative_slope
        delta *= scratch


class ELU(Activation):
    """``f(z) = z`` where ``z > 0``, else ``exp(z) - 1``; Clevert et al. (ICLR 2016)."""

    def forward(self, z, out):
        np.minimum(z, _zeros(z), out=out)
        np.expm1(out, out=out)
        np.maximum(out, z, out=out)

    def backward(self, delta, a, z, scratch):
        np.minimum(z, _zeros(z), out=scratch)
        np.exp(scratch, out=scratch)
        delta *= scratch


class GELU(Activation):
    """``f(z) = z Phi(z)``, Phi the normal distribution; Hendrycks and Gimpel (2016)."""

    def forward(self, z, out):
        ndtr(z, out=out)
        out *= z

    def backward(self, delta, a, z, scratch):
        # f'(z) = Phi(z) + z phi(z), phi the normal density.
        ndtr(z, out=scratch)
        np.square(z, out=a)
        a *= -0.5
        np.exp(a, out=a)
        a *= _INV_SQRT_2PI
        a *= z
        scratch += a
        delta *= scratch


class SiLU(Activation):
    """``f(z) = z sigma(z)``, also called swish; Ramachandran et al. (2017)."""

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
    """``f(z) = log(1 + exp(z))``, a smooth ReLU, with slope ``sigma(z)``."""

    positive = True

    def forward(self, z, out):
        np.logaddexp(z, 0.0, out=out)

    def backward(self, delta, a, z, scratch):
        _sigmoid(z, scratch)
        delta *= scratch


class Softmax(Activation):
    """``f(z)_k = exp(z_k) / sum_j exp(z_j)``: probabilities of exclusive classes."""

    needs_z = False
    positive = True

    def forward(self, z, out):
        # Shifting by the largest keeps exp from overflowing and changes nothing.
        classes = out.T
        np.copyto(classes, z.T)
        classes -= np.maximum.reduce(classes)
        np.exp(classes, out=classes)
        classes /= np.add.reduce(classes)

    def backward(self, delta, a, z, scratch):
        # The Jacobian is diag(a) - a a^T.
        np.multiply(delta, a, out=scratch)
        delta -= np.add.reduce(scratch, axis=1, keepdims=True)
        delta *= a


class Exp(Activation):
    """``f(z) = exp(z)``: the mean of a count, for the Poisson loss."""

    needs_z = False
    positive = True

    def forward(self, z, out):
        np.exp(z, out=out)

    def backward(self, delta, a, z, scratch):
        delta *= a


class CumulativeSoftplus(Activation):
    """``f(z)_1 = z_1`` and ``f(z)_k = f(z)_{k-1} + unit log(1 + exp(z_k))``.

    Outputs never get less from left to right, so that several quantiles of one
    distribution do not cross.
    """

    unit = 1.0

    def forward(self, z, out):
        np.copyto(out[:, :1], z[:, :1])
        np.logaddexp(z[:, 1:], 0.0, out=out[:, 1:])
        out[:, 1:] *= self.unit
        np.add.accumulate(out, axis=1, out=out)

    def backward(self, delta, a, z, scratch):
        # z_k has a part in all outputs from the k-th on.
        np.add.accumulate(delta[:, ::-1], axis=1, out=scratch[:, ::-1])
        np.copyto(delta, scratch)
        expit(z[:, 1:], out=scratch[:, 1:])
        delta[:, 1:] *= scratch[:, 1:]
        delta[:, 1:] *= self.unit

    def rescale_outputs(self, W, b, factor, shift):
        """Have outputs become ``factor * a + shift``, the same factor for all."""
        self.unit *= float(factor[0])
        W[:, 0] *= factor[0]
        b[0] = factor[0] * b[0] + shift[0]


class ActivationFromFunction(Activation):
    """What a user's function of z returns: the value, and the slope.

    Parameters
    ----------
    function : callable
        ``function(z)`` returns ``f(z)`` and ``f'(z)``, two arrays shaped as `z`.
    """

    def __init__(self, function):
        self.function = function

    def forward(self, z, out):
        out[...] = self.function(z)[0]

    def backward(self, delta, a, z, scratch):
        delta *= self.function(z)[1]


#: Activations of a hidden layer, by the names that estimators take.
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

#: Activations of the output layer: those, and three that serve only there.
OUTPUT_ACTIVATIONS = {
    **ACTIVATIONS,
    "softmax": Softmax,
    "exp": Exp,
    "increasing": CumulativeSoftplus,
}
