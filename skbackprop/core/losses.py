"""Losses: how wrong the outputs are, and which way they should move.

Each class holds the loss of every sample and output beside its derivative
dC/da. Sums over outputs, means over samples and sample weights are taken
elsewhere, once for all of them.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import huber, xlogy

from .activations import CumulativeSoftplus, Exp, Identity, Sigmoid, Softmax

#: The smallest normal numbers of either precision.
_TINY = {char: np.finfo(char).tiny for char in "fd"}


def _weighted_sum(losses, weight):
    if weight is not None:
        losses = np.dot(weight, losses)
    return float(np.add.reduce(losses, axis=None))


class Loss:
    """Base of every loss; derive from it to add your own.

    Attributes
    ----------
    canonical : type or None, default=None
        The output activation for which dC/dz is simply ``a - y``, so that the
        slope of the activation cancels.
    output_activation : str or None, default=None
        Name of the output activation taken with ``output_activation="auto"``;
        None for "identity" in a regressor and "logistic" in a classifier.
    tasks : tuple of {"classification", "regression"}
        The estimators that offer the loss by name.

    Examples
    --------
    >>> import numpy as np
    >>> from skbackprop import BackpropRegressor, Loss
    >>> class LogCosh(Loss):
    ...     def value(self, y, a, z, out):
    ...         np.subtract(a, y, out=out)
    ...         np.log(np.cosh(out, out=out), out=out)
    ...
    ...     def gradient(self, y, a, out):
    ...         np.subtract(a, y, out=out)
    ...         np.tanh(out, out=out)
    >>> X = np.linspace(-1.0, 1.0, 50)[:, np.newaxis]
    >>> net = BackpropRegressor((8,), "tanh", loss=LogCosh(), solver="lbfgs",
    ...                         random_state=0)
    >>> bool(net.fit(X, X[:, 0] ** 2).score(X, X[:, 0] ** 2) > 0.99)
    True
    """

    canonical = None
    output_activation = None
    tasks = ()

    def __repr__(self):
        settings = ", ".join(f"{k}={v!r}" for k, v in vars(self).items())
        return f"{type(self).__name__}({settings})"

    def accepts(self, activation):
        """Say whether outputs of this activation can serve this loss.

        Parameters
        ----------
        activation : Activation
            Activation of the output layer.

        Returns
        -------
        bool
        """
        return True

    def check_targets(self, y):
        """Raise ValueError where the loss is not defined for these targets.

        Parameters
        ----------
        y : ndarray of shape (n_samples, n_outputs)
            The targets.
        """

    def value(self, y, a, z, out):
        """Write the loss of each sample and output into `out`.

        Parameters
        ----------
        y : ndarray of shape (n_rows, n_outputs), float32 or float64
            The targets.
        a : ndarray of the same shape and dtype
            The outputs of the network.
        z : ndarray of the same shape and dtype
            Their weighted inputs.
        out : ndarray of the same shape and dtype
            Where the losses go.
        """
        raise NotImplementedError(f"{type(self).__name__} must define value")

    def total(self, y, a, z, scratch, weight):
        """Return the weighted sum of all losses; override it where that is had faster.

        Parameters
        ----------
        y, a, z : ndarray of shape (n_rows, n_outputs), float32 or float64
            As in `value`.
        scratch : ndarray of the same shape and dtype
            Overwritten.
        weight : ndarray of shape (n_rows,) and the same dtype, or None
            What each row counts; 1 where None.

        Returns
        -------
        float
        """
        self.value(y, a, z, scratch)
        return _weighted_sum(scratch, weight)

    def gradient(self, y, a, out):
        """Write the derivative dC/da of each loss into `out`.

        Parameters
        ----------
        y, a, out : ndarray of shape (n_rows, n_outputs), float32 or float64
            As in `value`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define gradient")


class SquaredError(Loss):
    """The quadratic cost ``(a - y)**2 / 2``; Nielsen (2015), chapter 1, equation 6."""

    canonical = Identity
    tasks = ("classification", "regression")

    def value(self, y, a, z, out):
        np.subtract(a, y, out=out)
        np.square(out, out=out)
        out *= 0.5

    def gradient(self, y, a, out):
        np.subtract(a, y, out=out)

    def total(self, y, a, z, scratch, weight):
        if weight is not None:
            return super().total(y, a, z, scratch, weight)
        np.subtract(a, y, out=scratch)
        residuals = scratch.ravel(order="F")
        return 0.5 * float(np.dot(residuals, residuals))


class LogLoss(Loss):
    """``-y log(a)`` over exclusive classes, the outputs a softmax."""

    canonical = Softmax
    output_activation = "softmax"
    tasks = ("classification",)

    def accepts(self, activation):
        return type(activation) is Softmax

    def value(self, y, a, z, out):
        self._log(a, out)
        out *= y
        np.negative(out, out=out)

    def gradient(self, y, a, out):
        np.divide(y, a, out=out)
        np.negative(out, out=out)

    def total(self, y, a, z, scratch, weight):
        if weight is not None:
            return super().total(y, a, z, scratch, weight)
        self._log(a, scratch)
        return -float(np.dot(y.ravel(order="F"), scratch.ravel(order="F")))

    def _log(self, a, out):
        # A probability that underflowed to 0 counts as the smallest number.
        np.maximum(a, _TINY[a.dtype.char], out=out)
        np.log(out, out=out)


class BinaryLogLoss(Loss):
    """``-y log(a) - (1 - y) log(1 - a)``, each output a sigmoid of its own.

    It is computed from `z`, as ``log(1 + exp(z)) - y z``, which stays exact
    where `a` has rounded to 0 or 1.
    """

    canonical = Sigmoid
    output_activation = "logistic"

    def accepts(self, activation):
        # Not one derived from it: the loss is computed from z of this one.
        return type(activation) is Sigmoid

    def value(self, y, a, z, out):
        # max(z, 0) - y z + log(1 + exp(-|z|)), with `z` as the second buffer:
        # nothing reads it after the loss.
        np.logaddexp(z, 0.0, out=out)
        z *= y
        out -= z

    def gradient(self, y, a, out):
        np.subtract(1.0, a, out=out)
        out *= a
        np.divide(a - y, out, out=out)


class AbsoluteError(Loss):
    """``|a - y|``, whose best constant is the median; its slope at 0 is taken as 0."""

    tasks = ("regression",)

    def value(self, y, a, z, out):
        np.subtract(a, y, out=out)
        np.abs(out, out=out)

    def gradient(self, y, a, out):
        np.subtract(a, y, out=out)
        np.sign(out, out=out)


@dataclass(frozen=True)
class Huber(Loss):
    """``r**2 / 2`` for residuals within `delta`, linear beyond; Huber (1964).

    Parameters
    ----------
    delta : float, default=1.0
        Where the parabola goes over into the line, in units of y.
    """

    delta: float = 1.0
    tasks = ("regression",)

    def value(self, y, a, z, out):
        np.subtract(a, y, out=out)
        huber(self.delta, out, out=out)

    def gradient(self, y, a, out):
        np.subtract(a, y, out=out)
        np.clip(out, -self.delta, self.delta, out=out)


@dataclass(frozen=True)
class Quantile(Loss):
    """The pinball loss, whose best constant is a quantile; Koenker and Bassett (1978).

    Parameters
    ----------
    quantile : float or tuple of float, default=0.5
        Which quantile, between 0 and 1; 0.5 is half the absolute error. Or one for
        each output.
    """

    quantile: float | tuple = 0.5
    tasks = ("regression",)

    @property
    def output_activation(self):
        """Several quantiles must not cross."""
        return None if self._is_scalar else "increasing"

    @property
    def _is_scalar(self):
        return isinstance(self.quantile, float)

    def accepts(self, activation):
        return self._is_scalar or isinstance(activation, CumulativeSoftplus)

    def value(self, y, a, z, out):
        # (1 - q) r above the target, -q r below it: their maximum.
        np.subtract(a, y, out=out)
        for q, r in self._quantile_columns(out):
            np.maximum((1.0 - q) * r, -q * r, out=r)

    def gradient(self, y, a, out):
        np.subtract(a, y, out=out)
        np.sign(out, out=out)
        for q, sign in self._quantile_columns(out):
            np.clip(sign, -q, 1.0 - q, out=sign)

    def total(self, y, a, z, scratch, weight):
        # max((1 - q) r, -q r) is |r| / 2 + (1/2 - q) r.
        np.subtract(a, y, out=scratch)
        linear_term = 0.0
        for q, r in self._quantile_columns(scratch):
            linear_term += (0.5 - q) * _weighted_sum(r, weight)
        np.abs(scratch, out=scratch)
        return 0.5 * _weighted_sum(scratch, weight) + linear_term

    def _quantile_columns(self, outputs):
        """Pair quantiles with the outputs that are to become them."""
        if self._is_scalar:
            return [(self.quantile, outputs)]
        return zip(self.quantile, outputs.T)


class Poisson(Loss):
    """Half the Poisson deviance, ``y log(y / a) - y + a``, of counts or rates."""

    canonical = Exp
    output_activation = "exp"
    tasks = ("regression",)

    def accepts(self, activation):
        return activation.positive

    def check_targets(self, y):
        if y.min() < 0:
            raise ValueError(
                "loss='poisson' needs targets y >= 0, got a smallest value of "
                f"{y.min():g}. Use loss='squared_error' for targets below zero."
            )

    def value(self, y, a, z, out):
        self._ratio(y, a, out)
        xlogy(y, out, out=out)
        out -= y
        out += a

    def gradient(self, y, a, out):
        self._ratio(y, a, out)
        np.subtract(1.0, out, out=out)

    def _ratio(self, y, a, out):
        # A mean that underflowed to 0 counts as the smallest number: 0/0 is 0.
        np.maximum(a, _TINY[a.dtype.char], out=out)
        np.divide(y, out, out=out)


class LossFromFunction(Loss):
    """What a user's function of targets and outputs returns: value and gradient.

    Parameters
    ----------
    function : callable
        ``function(y, a)`` returns the loss of each sample and output, and its
        derivative by `a`, two arrays shaped as `y` and `a`.
    """

    tasks = ("classification", "regression")

    def __init__(self, function):
        self.function = function

    def value(self, y, a, z, out):
        out[...] = self.function(y, a)[0]

    def gradient(self, y, a, out):
        out[...] = self.function(y, a)[1]


#: Losses by name. `binary_log_loss` is what "log_loss" becomes on sigmoid outputs.
LOSSES = {
    "squared_error": SquaredError,
    "log_loss": LogLoss,
    "binary_log_loss": BinaryLogLoss,
    "absolute_error": AbsoluteError,
    "huber": Huber,
    "quantile": Quantile,
    "poisson": Poisson,
}


def losses_for(task):
    """Return the names of the losses that an estimator offers.

    Parameters
    ----------
    task : {"classification", "regression"}
        What the estimator does.

    Returns
    -------
    set of str
        Keys of `LOSSES`.
    """
    return {name for name, loss in LOSSES.items() if task in loss.tasks}
