"""
Prediction intervals with known coverage
========================================

This example computes 90% prediction intervals with
:class:`~skbackprop.BackpropEnsembleRegressor`, and compares their coverage with the
quantiles that a single network predicts. Quantile regression learns where the noise is
large, but its intervals are usually too narrow. The ensemble corrects them with the
out-of-fold errors.
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
# - An ensemble of the default networks predicts the mean. Its CV+ intervals have almost
#   the same width for all ``x``.
# - An ensemble of networks that predict both quantiles adapts the width to ``x``, and
#   corrects it.

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
# The coverage of both ensembles is close to 90%. The intervals of the ensemble that
# predicts the mean are too narrow for large ``x`` and too wide for small ``x``.

grid = np.linspace(0, 6, 300)[:, np.newaxis]
figure, all_axes = plt.subplots(
    1, 3, figsize=(10, 3.6), layout="constrained", sharey=True
)
for axes, (name, predict) in zip(all_axes, functions.items()):
    low, high = predict(grid).T
    axes.scatter(X_test[:1000], y_test[:1000], s=3, color="0.6", label="new targets")
    axes.fill_between(grid[:, 0], low, high, alpha=0.35, label="90% interval")
    axes.set(xlabel="x", title=name)
all_axes[0].set(ylabel="y")
all_axes[0].legend(loc="lower left")
plt.show()
