"""
A loss, an activation, a schedule and starting weights of your own
==================================================================

Where a name can stand, a function can: four parts are written here in a few lines
each, checked, and put together in one network.
"""

# %%
# The data: a wave with outliers
# ------------------------------

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skbackprop import BackpropRegressor, check_gradients

rng = np.random.default_rng(0)
X = rng.uniform(-4, 4, (400, 1))
truth = np.sin(3 * X[:, 0]) * np.exp(-(X[:, 0] ** 2) / 8)
y = truth + 0.1 * rng.normal(size=400)
outliers = rng.random(400) < 0.1
y[outliers] += rng.uniform(2, 6, outliers.sum())

# %%
# A loss that outliers cannot drag
# --------------------------------
#
# The loss of Welsch grows no more where residuals are large. A function returns the
# loss of every sample and output, and its derivative by the output. Inside the
# network, targets are in units of their standard deviation; so is the width here.

WIDTH = 0.5


def welsch(y, a):
    residual = (a - y) / WIDTH
    bell = np.exp(-(residual**2) / 2)
    return WIDTH**2 * (1 - bell), WIDTH * residual * bell


# %%
# An activation that waves
# ------------------------
#
# The snake of Ziyin, Hartwig and Ueda (NeurIPS 2020) adds ripples to a line, for
# targets that are periodic. Value and slope again.


def snake(z):
    return z + np.sin(z) ** 2, 1 + np.sin(2 * z)


# %%
# A schedule: waves again
# -----------------------
#
# The rate of every step, from the epochs and the steps so far: it falls within 50
# epochs, then jumps up to half of what it was.


def jumps(epoch, step):
    cycle, within = divmod(epoch, 50)
    return 0.02 * 0.5**cycle * (1 - within / 50)


# %%
# Starting weights
# ----------------
#
# Wider than usual in the first layer, so that the snakes begin with ripples of many
# lengths.


def wide_at_first(rng, fan_in, fan_out):
    deviation = 1.5 if fan_in == 1 else np.sqrt(1 / fan_in)
    return rng.normal(0, deviation, (fan_in, fan_out))


# %%
# Are the derivatives right?
# --------------------------
#
# A wrong one would not crash, the network would only learn badly.
# :func:`~skbackprop.check_gradients` compares with differences of the cost.

own = BackpropRegressor(
    (30, 30),
    activation=snake,
    loss=welsch,
    learning_rate=jumps,
    init=wide_at_first,
    max_iter=150,
    n_iter_no_change=150,
    tol=0,
    random_state=0,
)
print(f"largest relative difference: {check_gradients(own, X[:60], y[:60]):.1e}")


def forgetful(y, a):
    value, slope = welsch(y, a)
    return value, slope / WIDTH  # the chain rule left out


try:
    check_gradients(BackpropRegressor(loss=forgetful), X[:60], y[:60])
except AssertionError as error:
    print(error)

# %%
# All four together, beside the squared error and ReLU
# ----------------------------------------------------

plain = BackpropRegressor(
    (30, 30), learning_rate_init=0.01, max_iter=150, tol=0, random_state=0
)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)  # 150 epochs are wanted
    own.fit(X, y)
    plain.fit(X, y)

grid = np.linspace(-4, 4, 500)[:, np.newaxis]
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
left.scatter(X, y, s=6, color="0.6", label="samples")
left.plot(grid, plain.predict(grid), label="squared error, ReLU")
left.plot(grid, own.predict(grid), label="parts of our own")
left.set(xlabel="x", ylabel="y", ylim=(-1.5, 3.5), title="Outliers")
left.legend()
right.plot(own.history_["learning_rate"])
right.set(xlabel="epoch", ylabel="learning rate", title="Our schedule")
plt.show()

for name, network in (("squared error, ReLU", plain), ("parts of our own", own)):
    error = np.sqrt(np.mean((network.predict(X) - truth) ** 2))
    print(f"{name}: off the truth by {error:.2f}")
