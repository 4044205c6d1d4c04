"""
Conformal prediction intervals (CV+)
====================================

This example computes 90% prediction intervals with
:class:`~skbackprop.BackpropEnsembleRegressor` and compares their coverage with the
quantiles that a single network predicts. Quantile regression adapts the width of the
intervals to the noise, but the intervals are usually too narrow. The ensemble corrects
the intervals with the out-of-fold errors. For details, see :doc:`/guide/intervals`.
"""

# %%
# Heteroscedastic data
# --------------------
#
# There are only 300 training samples, and the noise increases with ``x``.

import matplotlib.pyplot as plt
import numpy as np

from skbackprop import BackpropEnsembleRegressor, BackpropRegressor

rng = np.random.default_rng(0)


def make_data(n):
    x = rng.uniform(0, 6, n)
    return x[:, np.newaxis], np.sin(x) + 0.1 * (0.5 + x) * rng.normal(size=n)


X_train, y_train = make_data(300)
X_test, y_test = make_data(5000)

# %%
# Three kinds of intervals
# ------------------------
#
# - A single network predicts the quantiles 5% and 95%.
# - An ensemble of the default networks predicts the mean. The width of its CV+
#   intervals is almost the same for all ``x``.
# - An ensemble of networks predicts both quantiles. The ensemble adapts the width to
#   ``x`` and corrects the width with the out-of-fold errors.

quantiles = {"loss": "quantile", "quantile": [0.05, 0.95]}
network = BackpropEnsembleRegressor.default_estimator(X_train).set_params(**quantiles)
single = BackpropRegressor((100, 100), **quantiles, max_iter=500, random_state=0)
mean_ensemble = BackpropEnsembleRegressor(random_state=0)
quantile_ensemble = BackpropEnsembleRegressor(network, random_state=0)
for model in (single, mean_ensemble, quantile_ensemble):
    model.fit(X_train, y_train)

functions = {
    "quantiles of one network": single.predict,
    "ensemble, mean": mean_ensemble.predict_interval,
    "ensemble, quantiles": quantile_ensemble.predict_interval,
}
for name, predict in functions.items():
    low, high = predict(X_test).T
    is_covered = (low <= y_test) & (y_test <= high)
    is_noisy = X_test[:, 0] > 4
    print(
        f"{name:24s} coverage {is_covered.mean():.1%}, for x > 4 "
        f"{is_covered[is_noisy].mean():.1%}, mean width {np.mean(high - low):.2f}"
    )

# %%
# Plot the intervals
# ------------------
#
# The intervals of the ensemble that predicts the mean are too narrow for large ``x``
# and too wide for small ``x``.

# sphinx_gallery_thumbnail_number = 1
grid = np.linspace(0, 6, 300)[:, np.newaxis]
styles = {
    "quantiles of one network": {"color": "tab:green", "linestyle": ":"},
    "ensemble, mean": {"color": "tab:orange", "linestyle": "--"},
    "ensemble, quantiles": {"color": "tab:blue", "linestyle": "-"},
}
figure, ax = plt.subplots(figsize=(8, 4.8), layout="constrained")
ax.scatter(X_test[:1000], y_test[:1000], s=4, color="0.7", label="new targets")
for name, predict in functions.items():
    low, high = predict(grid).T
    ax.plot(grid, high, linewidth=2, label=name, **styles[name])
    ax.plot(grid, low, linewidth=2, **styles[name])
ax.set(xlabel="x", ylabel="y", title="90% prediction intervals")
ax.legend(loc="lower left")
plt.show()

# %%
# Plot the coverage
# -----------------
#
# The mean coverage of both ensembles is close to 90%. With the quantiles, the coverage
# depends less on ``x``.

edges = np.linspace(0, 6, 13)
bins = np.digitize(X_test[:, 0], edges[1:-1])
figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
for name, predict in functions.items():
    low, high = predict(X_test).T
    is_covered = (low <= y_test) & (y_test <= high)
    coverage = [is_covered[bins == i].mean() for i in range(12)]
    ax.plot((edges[1:] + edges[:-1]) / 2, coverage, "o", label=name, **styles[name])
ax.axhline(0.9, color="0.6", zorder=0)
ax.set(xlabel="x", ylabel="coverage", title="Coverage as a function of x")
ax.legend(loc="lower left")
plt.show()
