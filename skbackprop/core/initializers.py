"""Initialization of weights and biases.

The variance of the weights is chosen so that activations and gradients neither grow
nor shrink from layer to layer. `fan_in` is the number of inputs of a layer, and
`fan_out` is the number of its units.
"""

from dataclasses import dataclass

import numpy as np


class Initializer:
    """Base class for the initialization of one layer."""

    def draw(self, rng, fan_in, fan_out):
        """Draw the initial weights and biases of a layer.

        Parameters
        ----------
        rng : numpy.random.RandomState
            Random number generator.
        fan_in, fan_out : int
            Number of inputs and number of units of the layer.

        Returns
        -------
        weights : ndarray of shape (fan_in, fan_out)
        biases : ndarray of shape (fan_out,)
        """
        raise NotImplementedError


class WeightInitializer(Initializer):
    """Base class for the initialization of one layer with zero biases."""

    def draw(self, rng, fan_in, fan_out):
        return self.draw_weights(rng, fan_in, fan_out), np.zeros(fan_out)

    def draw_weights(self, rng, fan_in, fan_out):
        """Draw the initial weights of a layer; see `draw` for the parameters.

        Returns
        -------
        ndarray of shape (fan_in, fan_out)
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Uniform(Initializer):
    """Uniform weights and biases with bound ``sqrt(factor / (fan_in + fan_out))``.

    Glorot and Bengio (AISTATS 2010), equation 16, use a factor of 6. MLPClassifier and
    MLPRegressor use the same distribution. Their factor depends on the activation.

    Parameters
    ----------
    factor : float
        Factor of the bound; see `Activation.glorot_factor`.
    bias_scale : float, default=1.0
        Factor of the biases.
    """

    factor: float
    bias_scale: float = 1.0

    def draw(self, rng, fan_in, fan_out):
        bound = np.sqrt(self.factor / (fan_in + fan_out))
        weights = rng.uniform(-bound, bound, (fan_in, fan_out))
        return weights, self.bias_scale * rng.uniform(-bound, bound, fan_out)


class HeNormal(WeightInitializer):
    """Normal weights with variance ``2 / fan_in``.

    He et al. (ICCV 2015), equation 10.
    """

    def draw_weights(self, rng, fan_in, fan_out):
        return rng.normal(0.0, np.sqrt(2.0 / fan_in), (fan_in, fan_out))


class HeUniform(WeightInitializer):
    """Uniform weights with variance ``2 / fan_in``.

    He et al. (ICCV 2015), equation 10.
    """

    def draw_weights(self, rng, fan_in, fan_out):
        bound = np.sqrt(6.0 / fan_in)
        return rng.uniform(-bound, bound, (fan_in, fan_out))


class GlorotNormal(WeightInitializer):
    """Normal weights with variance ``2 / (fan_in + fan_out)``.

    Glorot and Bengio (AISTATS 2010), equation 12.
    """

    def draw_weights(self, rng, fan_in, fan_out):
        std = np.sqrt(2.0 / (fan_in + fan_out))
        return rng.normal(0.0, std, (fan_in, fan_out))


class GlorotUniform(WeightInitializer):
    """Uniform weights with variance ``2 / (fan_in + fan_out)``.

    Glorot and Bengio (AISTATS 2010), equation 16.
    """

    def draw_weights(self, rng, fan_in, fan_out):
        bound = np.sqrt(6.0 / (fan_in + fan_out))
        return rng.uniform(-bound, bound, (fan_in, fan_out))


class LecunNormal(WeightInitializer):
    """Normal weights with variance ``1 / fan_in``.

    LeCun et al., "Efficient backprop" (1998), section 4.6, equation 16.
    """

    def draw_weights(self, rng, fan_in, fan_out):
        return rng.normal(0.0, np.sqrt(1.0 / fan_in), (fan_in, fan_out))


class StandardNormal(Initializer):
    """Standard normal weights and biases; Nielsen (2015), chapter 1.

    With many inputs, the weighted inputs are large and saturate sigmoid units; see
    chapter 3.
    """

    def draw(self, rng, fan_in, fan_out):
        return rng.normal(size=(fan_in, fan_out)), rng.normal(size=fan_out)


class Orthogonal(WeightInitializer):
    """Random matrix with orthonormal rows or columns; Saxe et al. (ICLR 2014)."""

    def draw_weights(self, rng, fan_in, fan_out):
        matrix = rng.normal(size=(max(fan_in, fan_out), min(fan_in, fan_out)))
        q, r = np.linalg.qr(matrix)
        # The sign correction makes all orthogonal matrices equally likely.
        q *= np.sign(np.diag(r))
        return q if fan_in >= fan_out else q.T


#: Initializers by the names that the estimators accept, in addition to "auto".
INITIALIZERS = {
    "he_normal": HeNormal,
    "he_uniform": HeUniform,
    "glorot_normal": GlorotNormal,
    "glorot_uniform": GlorotUniform,
    "lecun_normal": LecunNormal,
    "standard_normal": StandardNormal,
    "orthogonal": Orthogonal,
}
