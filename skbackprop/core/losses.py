"""Loss functions and their derivatives.

In each class, `value` computes the loss of each sample and output, and `gradient`
computes its derivative dC/da. `Objective` applies sample weights, sums over outputs
and averages over samples, in the same way for all losses.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import huber, xlogy

from .activations import CumulativeSoftplus, Exp, Identity, Sigmoid, Softmax

#: Smallest positive normal number of each dtype.
_TINY = {char: np.finfo(char).tiny for char in "fd"}


def _weighted_sum(losses, weight):
    if weight is not None:
        losses = np.dot(weight, losses)
    return float(np.add.reduce(losses, axis=None))


class Loss:
    """Base class for loss functions.

    To add a loss, derive a class that defines `value` and `gradient`. Override the
    class attributes and the other methods if their defaults do not apply. Pass an
    instance as `loss`. Instead of a class, you can pass a function of `y` and `a` that
    returns the loss and its derivative with respect to `a`.

    Both methods process one mini-batch: each row is a sample and each column is an
    output. They write their result in place and return None. Sample weights, sums and
    means are applied elsewhere. The estimators copy the instance, so changes to the
    original have no effect on a fitted network.

    Attributes
    ----------
    canonical : type or None, default=None
        Output activation for which dC/dz equals ``a - y``, because the derivatives of
        loss and activation cancel. With this activation, `gradient` is not called. A
        subclass with a different gradient must set `canonical` to None.
    quantile : float, tuple of float or None, default=None
        Quantile of the targets that is the best constant prediction; None for the mean.
    output_activation : str or None, default=None
        Name of the activation that ``output_activation="auto"`` selects. If None,
        regressors use "identity" and classifiers use "logistic".
    tasks : tuple of {"classification", "regression"}, default=()
        Estimators that accept the loss by name. Instances are not restricted.

    See Also
    --------
    skbackprop.check_gradients : Compare back-propagated and numerical gradients.

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
    quantile = None
    output_activation = None
    tasks = ()
    kernel_parameter = None  # attribute that a compiled kernel depends on

    def __repr__(self):
        settings = ", ".join(f"{k}={v!r}" for k, v in vars(self).items())
        return f"{type(self).__name__}({settings})"

    def accepts(self, activation):
        """Return whether the loss supports an output activation.

        The base class supports all activations.

        Parameters
        ----------
        activation : Activation
            Activation of the output layer.

        Returns
        -------
        bool
            True if the combination is supported.
        """
        return True

    def check_targets(self, y):
        """Raise a ValueError if the loss is not defined for the targets.

        The base class accepts all targets.

        Parameters
        ----------
        y : ndarray of shape (n_samples, n_outputs)
            Targets of all samples. Do not modify `y`.

        Raises
        ------
        ValueError
            If the loss is not defined for `y`.
        """

    def value(self, y, a, z, out):
        """Write the loss of each sample and output into `out`.

        Parameters
        ----------
        y : ndarray of shape (n_rows, n_outputs), float32 or float64
            Targets. Do not modify `y`.
        a : ndarray of the same shape and dtype
            Outputs of the network. Do not modify `a`.
        z : ndarray of the same shape and dtype
            Weighted inputs of the output layer. `z` may be overwritten only if all
            supported output activations have ``needs_z=False``.
        out : ndarray of the same shape and dtype
            Array that receives the losses.
        """
        raise NotImplementedError(f"{type(self).__name__} must define value.")

    def total(self, y, a, z, scratch, weight):
        """Return the weighted sum of the losses of all samples and outputs.

        The base class sums the result of `value`. Override this method if the sum can
        be computed faster.

        Parameters
        ----------
        y, a, z : ndarray of shape (n_rows, n_outputs), float32 or float64
            Targets, outputs and weighted inputs; see `value`.
        scratch : ndarray of the same shape and dtype
            Buffer for temporary values, with undefined initial content.
        weight : ndarray of shape (n_rows,) and the same dtype, or None
            Weight of each row. If None, all rows have weight 1. Do not modify `weight`.

        Returns
        -------
        float
            Weighted sum of the losses.
        """
        self.value(y, a, z, scratch)
        return _weighted_sum(scratch, weight)

    def gradient(self, y, a, out):
        """Write the derivative of each loss with respect to `a` into `out`.

        Parameters
        ----------
        y : ndarray of shape (n_rows, n_outputs), float32 or float64
            Targets. Do not modify `y`.
        a : ndarray of the same shape and dtype
            Outputs of the network. Do not modify `a`.
        out : ndarray of the same shape and dtype
            Array that receives the derivatives.
        """
        raise NotImplementedError(f"{type(self).__name__} must define gradient.")


class SquaredError(Loss):
    """Squared error, or quadratic cost: ``(a - y)**2 / 2``.

    Nielsen (2015), chapter 1, equation 6.
    """

    compiled_kernel = "squared_error"
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
    """Log loss (cross-entropy) of softmax outputs: ``-y log(a)``.

    The classes are mutually exclusive, and each sample has a target of 1 for its class.
    """

    compiled_kernel = "log_loss"
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
        # The smallest normal number replaces probabilities that underflowed to 0.
        np.maximum(a, _TINY[a.dtype.char], out=out)
        np.log(out, out=out)


class BinaryLogLoss(Loss):
    """Binary log loss of sigmoid outputs: ``-y log(a) - (1 - y) log(1 - a)``.

    The loss is computed from `z` as ``log(1 + exp(z)) - y z``. This formula stays exact
    if `a` is rounded to 0 or 1.
    """

    compiled_kernel = "binary_log_loss"
    canonical = Sigmoid
    output_activation = "logistic"

    def accepts(self, activation):
        # Subclasses of Sigmoid are rejected because the formula in `value` requires
        # the logistic function.
        return type(activation) is Sigmoid

    def value(self, y, a, z, out):
        # This computes max(z, 0) - y z + log(1 + exp(-|z|)). `z` is used as a second
        # buffer because it is not read after the loss.
        np.logaddexp(z, 0.0, out=out)
        z *= y
        out -= z

    def gradient(self, y, a, out):
        np.subtract(1.0, a, out=out)
        out *= a
        np.divide(a - y, out, out=out)


class AbsoluteError(Loss):
    """Absolute error: ``|a - y|``.

    The best constant prediction is the median. The derivative at ``a = y`` is defined
    as 0.
    """

    compiled_kernel = "absolute_error"
    quantile = 0.5
    tasks = ("regression",)

    def value(self, y, a, z, out):
        np.subtract(a, y, out=out)
        np.abs(out, out=out)

    def gradient(self, y, a, out):
        np.subtract(a, y, out=out)
        np.sign(out, out=out)


@dataclass(frozen=True)
class Huber(Loss):
    """Huber loss; Huber (1964).

    With the residual ``r = a - y``, the loss is ``r**2 / 2`` if ``|r| <= delta`` and
    linear in ``|r|`` otherwise.

    Parameters
    ----------
    delta : float, default=1.0
        Absolute residual at which the loss changes from quadratic to linear, in units
        of `y`.
    """

    compiled_kernel = "huber"
    delta: float = 1.0
    tasks = ("regression",)
    kernel_parameter = "delta"

    def value(self, y, a, z, out):
        np.subtract(a, y, out=out)
        huber(self.delta, out, out=out)

    def gradient(self, y, a, out):
        np.subtract(a, y, out=out)
        np.clip(out, -self.delta, self.delta, out=out)


@dataclass(frozen=True)
class Quantile(Loss):
    """Quantile (pinball) loss; Koenker and Bassett (1978).

    The best constant prediction is a quantile of the targets.

    Parameters
    ----------
    quantile : float or tuple of float, default=0.5
        Quantile to predict, between 0 and 1. With 0.5, the loss is half the absolute
        error. A tuple contains one quantile for each output.
    """

    compiled_kernel = "quantile"
    quantile: float | tuple = 0.5
    tasks = ("regression",)
    kernel_parameter = "quantile"

    @property
    def output_activation(self):
        """Default output activation; several quantiles must not cross."""
        return None if self._is_scalar else "increasing"

    @property
    def _is_scalar(self):
        return isinstance(self.quantile, float)

    def accepts(self, activation):
        return self._is_scalar or isinstance(activation, CumulativeSoftplus)

    def value(self, y, a, z, out):
        # The loss is (1 - q) r above the target and -q r below, the maximum of both.
        np.subtract(a, y, out=out)
        for q, r in self._quantile_columns(out):
            np.maximum((1.0 - q) * r, -q * r, out=r)

    def gradient(self, y, a, out):
        np.subtract(a, y, out=out)
        np.sign(out, out=out)
        for q, sign in self._quantile_columns(out):
            np.clip(sign, -q, 1.0 - q, out=sign)

    def total(self, y, a, z, scratch, weight):
        # max((1 - q) r, -q r) equals |r| / 2 + (1/2 - q) r.
        np.subtract(a, y, out=scratch)
        linear_term = 0.0
        for q, r in self._quantile_columns(scratch):
            linear_term += (0.5 - q) * _weighted_sum(r, weight)
        np.abs(scratch, out=scratch)
        return 0.5 * _weighted_sum(scratch, weight) + linear_term

    def _quantile_columns(self, outputs):
        """Pair each quantile with the outputs that predict it."""
        if self._is_scalar:
            return [(self.quantile, outputs)]
        return zip(self.quantile, outputs.T)


class Poisson(Loss):
    """Poisson loss for counts or rates: ``y log(y / a) - y + a``.

    The loss is half the Poisson deviance.
    """

    compiled_kernel = "poisson"
    canonical = Exp
    output_activation = "exp"
    tasks = ("regression",)

    def accepts(self, activation):
        return activation.positive

    def check_targets(self, y):
        if y.min() < 0:
            raise ValueError(
                "loss='poisson' requires non-negative y (y >= 0), got a minimum of "
                f"{y.min():g}. Use loss='squared_error' for negative targets."
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
        # The smallest normal number replaces means that underflowed to 0, so that
        # 0 / 0 becomes 0.
        np.maximum(a, _TINY[a.dtype.char], out=out)
        np.divide(y, out, out=out)


#: Losses by name. With sigmoid outputs, "log_loss" selects "binary_log_loss".
LOSSES = {
    "squared_error": SquaredError,
    "log_loss": LogLoss,
    "binary_log_loss": BinaryLogLoss,
    "absolute_error": AbsoluteError,
    "huber": Huber,
    "quantile": Quantile,
    "poisson": Poisson,
}
