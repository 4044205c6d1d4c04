"""Learning-rate schedules: how large a step is as training goes on.

A schedule is a rule without memory: the rate is a function of the samples
seen so far, and of the plateaus met so far.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Constant:
    """The initial rate throughout.

    Parameters
    ----------
    learning_rate_init : float
        The rate.
    """

    learning_rate_init: float

    def rate(self, n_seen, n_plateaus):
        """Return the learning rate of the coming epoch.

        Parameters
        ----------
        n_seen : int
            Samples seen so far, counted anew in every epoch.
        n_plateaus : int
            How often so far the loss or score stopped improving.

        Returns
        -------
        float
        """
        return self.learning_rate_init

    def ends(self, n_plateaus):
        """Say whether the last plateau ends the training.

        Parameters
        ----------
        n_plateaus : int
            Plateaus met so far, at least 1.

        Returns
        -------
        bool
        """
        return True


@dataclass(frozen=True)
class InvScaling:
    """``rate = learning_rate_init / (n_seen + 1)**power_t``.

    Parameters
    ----------
    learning_rate_init : float
        The rate of the first epoch.
    power_t : float
        How fast the rate falls; 0 keeps it constant.
    """

    learning_rate_init: float
    power_t: float

    def rate(self, n_seen, n_plateaus):
        """Return the learning rate of the coming epoch; see `Constant.rate`."""
        return self.learning_rate_init / (n_seen + 1) ** self.power_t

    def ends(self, n_plateaus):
        """Say whether the last plateau ends the training; it does."""
        return True


@dataclass(frozen=True)
class Adaptive:
    """The initial rate, divided by 5 at every plateau until it is at most 1e-6.

    What counts as a plateau is measured against the best loss ever met, so
    one lucky low loss early can bring the rate down too soon; scikit-learn
    does the same, and the numbers here follow it.

    Parameters
    ----------
    learning_rate_init : float
        The rate before the first plateau.
    """

    learning_rate_init: float
    smallest: ClassVar[float] = 1e-6

    def rate(self, n_seen, n_plateaus):
        """Return the learning rate of the coming epoch; see `Constant.rate`."""
        rate = self.learning_rate_init
        for _ in range(n_plateaus):
            if rate <= self.smallest:
                break
            rate /= 5.0
        return rate

    def ends(self, n_plateaus):
        """Say whether the last plateau ends the training; see `Constant.ends`."""
        return self.rate(0, n_plateaus - 1) <= self.smallest


#: Schedules by the names that estimators take.
SCHEDULES = {
    "constant": Constant,
    "invscaling": InvScaling,
    "adaptive": Adaptive,
}
