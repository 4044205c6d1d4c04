"""Starting weights: how they are drawn before anything has been learned.

The variance keeps activations and gradients from growing or shrinking on their
way through the layers; with fan_in inputs and fan_out units of a layer.
"""

from dataclasses import dataclass

import numpy as np


class Initializer:
    """Base of every rule for the starting weights of one layer; biases are zero."""

    def weights(self, rng, fan_in, fan_out):
        """Draw the weights of a layer.

        Parameters
        ----------
        rng : numpy.random.RandomState
            Where they come from.
        fan_in, fan_out : int
            Inputs and units of the layer.

        Returns
        -------
        ndarray of shape (fan_in, fan_out)
        """
        raise NotImplementedError

    def biases(self, rng, fan_in, fan_out):
        """Return the biases of a layer, of shape (fan_out,)."""
        return np.zeros(fan_out)


@dataclass(frozen=True)
class Uniform(Initializer):
    """Weights and biases within ``sqrt(factor / (fan_in + fan_out))``.

    Glorot and Bengio (AISTATS 2010), equation 16, where the factor is 6. This
    is what scikit-learn's networks start from, with factors of their own.

    Parameters
    ----------
    factor : float
        That of the activation.
    """

    factor: float

    def weights(self, rng, fan_in, fan_out):
        bound = self._bound(fan_in, fan_out)
        return rng.uniform(-bound, bound, (fan_in, fan_out))

    def biases(self, rng, fan_in, fan_out):
        bound = self._bound(fan_in, fan_out)
        return rng.uniform(-bound, bound, fan_out)

    def _bound(self, fan_in, fan_out):
        return np.sqrt(self.factor / (fan_in + fan_out))


class HeNormal(Initializer):
    """Normal with variance ``2 / fan_in``; He et al. (ICCV 2015), equation 10."""

    def weights(self, rng, fan_in, fan_out):
        return rng.normal(0.0, np.sqrt(2.0 / fan_in), (fan_in, fan_out))


class HeUniform(Initializer):
    """Uniform with variance ``2 / fan_in``; He et al. (ICCV 2015), equation 10."""

    def weights(self, rng, fan_in, fan_out):
        bound = np.sqrt(6.0 / fan_in)
        return rng.uniform(-bound, bound, (fan_in, fan_out))


class GlorotNormal(Initializer):
    """Normal with variance ``2 / (fan_in + fan_out)``.

    Glorot and Bengio (AISTATS 2010), equation 12.
    """

    def weights(self, rng, fan_in, fan_out):
        std = np.sqrt(2.0 / (fan_in + fan_out))
        return rng.normal(0.0, std, (fan_in, fan_out))


class GlorotUniform(Initializer):
    """Uniform with variance ``2 / (fan_in + fan_out)``.

    Glorot and Bengio (AISTATS 2010), equation 16.
    """

    def weights(self, rng, fan_in, fan_out):
        bound = np.sqrt(6.0 / (fan_in + fan_out))
        return rng.uniform(-bound, bound, (fan_in, fan_out))


class LecunNormal(Initializer):
    """Normal with variance ``1 / fan_in``; LeCun et al., "Efficient backprop" (1998).

    Section 4.6, equation 16.
    """

    def weights(self, rng, fan_in, fan_out):
        return rng.normal(0.0, np.sqrt(1.0 / fan_in), (fan_in, fan_out))


class StandardNormal(Initializer):
    """Weights and biases of variance 1; Nielsen (2015), chapter 1.

    Sums over many inputs saturate a sigmoid then, as chapter 3 tells.
    """

    def weights(self, rng, fan_in, fan_out):
        return rng.normal(size=(fan_in, fan_out))

    def biases(self, rng, fan_in, fan_out):
        return rng.normal(size=fan_out)


class Orthogonal(Initializer):
    """A random rotation, or as much of one as fits; Saxe et al. (ICLR 2014)."""

    def weights(self, rng, fan_in, fan_out):
        matrix = rng.normal(size=(max(fan_in, fan_out), min(fan_in, fan_out)))
        q, r = np.linalg.qr(matrix)
        # Without fixing the signs some rotations would be likelier than others.
        q *= np.sign(np.diag(r))
        return q if fan_in >= fan_out else q.T


class FromFunction(Initializer):
    """Weights from a user's function.

    Parameters
    ----------
    function : callable
        ``function(rng, fan_in, fan_out)`` returns the weights of a layer.
    """

    def __init__(self, function):
        self.function = function

    def weights(self, rng, fan_in, fan_out):
        returned = self.function(rng, fan_in, fan_out)
        try:
            W = np.asarray(returned)
        except ValueError:  # lists of unequal lengths
            W = np.empty(0)
        is_numeric = W.dtype.kind in "fiub" and np.isfinite(W).all()
        if W.shape != (fan_in, fan_out) or not is_numeric:
            raise ValueError(
                f"init(rng, fan_in={fan_in}, fan_out={fan_out}) must return finite "
                f"numbers of shape {(fan_in, fan_out)}, got {returned}."
            )
        return W


#: Rules by the names that estimators take, beside "auto".
INITIALIZERS = {
    "he_normal": HeNormal,
    "he_uniform": HeUniform,
    "glorot_normal": GlorotNormal,
    "glorot_uniform": GlorotUniform,
    "lecun_normal": LecunNormal,
    "standard_normal": StandardNormal,
    "orthogonal": Orthogonal,
}
