"""
Prediction intervals with quantile regression
=============================================

This example computes 90% prediction intervals with quantile regression. One network
predicts three quantiles of the target: 5%, 50% and 95%. If the network fits well, 90%
of new targets are between the outer quantiles. The predicted quantiles never cross,
because each quantile is the previous quantile plus a non-negative term. For intervals
with corrected coverage, see :doc:`/guide/intervals`.
"""

# %%
# Heteroscedastic data
# --------------------
#
# The target is a sine function plus skewed noise. The noise increases with ``x``, so an
# interval of constant width has the wrong coverage for almost all inputs.

import matplotlib.pyplot as plt
import numpy as np

from skbackprop import BackpropRegressor

rng = np.random.default_rng(0)


def make_data(n):
    x = rng.uniform(0, 6, n)
    noise = rng.gamma(1.5, size=n) - 1.5
    return x[:, np.newaxis], np.sin(x) + 0.15 * (0.2 + x) * noise


X_train, y_train = make_data(3000)
X_test, y_test = make_data(3000)

# %%
# Fit three quantiles with one network
# ------------------------------------
#
# Set ``loss="quantile"`` and pass the list of quantiles. After the fit, we compute the
# coverage on new data.

quantiles = [0.05, 0.5, 0.95]
network = BackpropRegressor(
    (50, 50),
    loss="quantile",
    quantile=quantiles,
    learning_rate="cosine",
    learning_rate_init=0.005,
    max_iter=100,
    random_state=0,
)
network.fit(X_train, y_train)
predicted = network.predict(X_test)

fractions = (y_test[:, np.newaxis] <= predicted).mean(axis=0)
for q, fraction in zip(quantiles, fractions, strict=True):
    print(f"quantile {q:4.0%}: {fraction:6.1%} of the new targets are below")
coverage = np.mean((predicted[:, 0] <= y_test) & (y_test <= predicted[:, -1]))
print(f"coverage of the interval: {coverage:.1%} (expected: {0.9:.0%})")
print(f"mean D2 pinball score: {network.score(X_test, y_test):.3f}")

# %%
# Plot the prediction interval
# ----------------------------
#
# The interval becomes wider as the noise increases. The interval is asymmetric around
# the median, because the noise is skewed. The gray areas contain no training data. In
# these areas, the ReLU network extrapolates linearly, so the interval is not reliable.
# The quantiles do not cross in these areas either.

grid = np.linspace(-2, 9, 500)[:, np.newaxis]
low, median, high = network.predict(grid).T

figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
axes.scatter(X_test, y_test, s=4, color="0.6", label="new targets")
axes.fill_between(grid[:, 0], low, high, alpha=0.3, label="5% to 95% quantile")
axes.plot(grid, median, label="median")
for left, right, label in ((-2, 0, "no training data"), (6, 9, None)):
    axes.axvspan(left, right, color="0.9", zorder=-1, label=label)
axes.set(xlabel="x", ylabel="y", xlim=(-2, 9), title="90% prediction interval")
axes.legend(loc="upper left")
plt.show()
