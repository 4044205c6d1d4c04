"""
Custom losses, activations, schedules and initializers
======================================================

The parameters ``loss``, ``activation``, ``learning_rate`` and ``init`` accept a
function instead of a string. This example defines one function for each of these
parameters, checks the derivatives numerically and trains a network with all four
functions. For the requirements of each function, see :doc:`/guide/custom`.
"""

# %%
# Data with outliers
# ------------------
#
# The target is a damped sine wave with noise. About 10% of the samples are outliers.

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
# Custom loss
# -----------
#
# The Welsch loss is robust to outliers, because it is bounded for large residuals. The
# function returns two arrays: the loss of each sample and output, and its derivative
# with respect to the output. The estimator standardizes the targets internally, so
# ``WIDTH`` is in units of the standard deviation of the target.

WIDTH = 0.5


def welsch(y, a):
    residual = (a - y) / WIDTH
    bell = np.exp(-(residual**2) / 2)
    return WIDTH**2 * (1 - bell), WIDTH * residual * bell


# %%
# Custom activation
# -----------------
#
# The snake activation (Ziyin, Hartwig and Ueda, NeurIPS 2020) adds a periodic term to
# the identity, which suits periodic targets. The function returns the value and the
# derivative.


def snake(z):
    return z + np.sin(z) ** 2, 1 + np.sin(2 * z)


# %%
# Custom learning-rate schedule
# -----------------------------
#
# The function returns the learning rate of each step from the number of completed
# epochs and steps. This schedule decreases the learning rate linearly for 50 epochs and
# then restarts at half of the previous initial value.


def warm_restarts(epoch, step):
    cycle, within = divmod(epoch, 50)
    return 0.02 * 0.5**cycle * (1 - within / 50)


# %%
# Custom initializer
# ------------------
#
# The function draws larger weights than usual for the first layer. The snake units then
# start with a wide range of frequencies.


def wide_first_layer(rng, fan_in, fan_out):
    deviation = 1.5 if fan_in == 1 else np.sqrt(1 / fan_in)
    return rng.normal(0, deviation, (fan_in, fan_out))


# %%
# Check the gradients
# -------------------
#
# A wrong derivative does not raise an error, but the network does not train well.
# :func:`~skbackprop.check_gradients` compares the gradients with finite differences of
# the loss.

custom = BackpropRegressor(
    (30, 30),
    activation=snake,
    loss=welsch,
    learning_rate=warm_restarts,
    init=wide_first_layer,
    max_iter=150,
    n_iter_no_change=150,
    tol=0,
    random_state=0,
)
print(f"maximum relative difference: {check_gradients(custom, X[:60], y[:60]):.1e}")


def wrong_welsch(y, a):
    value, derivative = welsch(y, a)
    return value, derivative / WIDTH  # wrong factor


try:
    check_gradients(BackpropRegressor(loss=wrong_welsch), X[:60], y[:60])
except AssertionError as error:
    print(str(error).split(":")[0])

# %%
# Compare with the default components
# -----------------------------------
#
# The default network uses the squared-error loss and ReLU. The outliers shift its
# predictions upward, while the network with the Welsch loss follows the wave.

default = BackpropRegressor(
    (30, 30), learning_rate_init=0.01, max_iter=150, tol=0, random_state=0
)
with warnings.catch_warnings():
    # Training runs for a fixed number of epochs, so ignore this warning.
    warnings.simplefilter("ignore", ConvergenceWarning)
    custom.fit(X, y)
    default.fit(X, y)

grid = np.linspace(-4, 4, 500)[:, np.newaxis]
# sphinx_gallery_thumbnail_number = 1
figure, ax = plt.subplots(figsize=(6.5, 4.2), layout="constrained")
ax.scatter(X, y, s=6, color="0.6", label="samples")
ax.plot(grid, default.predict(grid), label="squared error, ReLU")
ax.plot(grid, custom.predict(grid), label="custom components")
ax.set(xlabel="x", ylabel="y", ylim=(-1.5, 3.5), title="Regression with outliers")
ax.legend()
plt.show()

for name, network in (("squared error, ReLU", default), ("custom components", custom)):
    error = np.sqrt(np.mean((network.predict(X) - truth) ** 2))
    print(f"{name}: RMSE to the true function {error:.2f}")

# %%
# ``history_`` contains the learning rates of the custom schedule.

figure, ax = plt.subplots(figsize=(6.5, 3.5), layout="constrained")
ax.plot(custom.history_["learning_rate"])
ax.set(xlabel="epoch", ylabel="learning rate", title="Custom schedule")
plt.show()
