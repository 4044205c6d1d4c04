"""
Prediction intervals
====================

How far may a prediction be off? Here one network learns three quantiles of the target
at once: 5 %, one half, and 95 %. Between the outer two lie nine tenths of new targets,
if the network has learned well. They never cross, for each quantile is the one before
plus something positive.
"""

# %%
# Data whose noise grows
# ----------------------
#
# A sine with noise that is small on the left and large on the right, and skewed: an
# interval of one width for all would be wrong nearly everywhere.

import matplotlib.pyplot as plt
import numpy as np

from skbackprop import BackpropRegressor

rng = np.random.default_rng(0)


def draw(n):
    x = rng.uniform(0, 6, n)
    noise = rng.gamma(1.5, size=n) - 1.5
    return x[:, np.newaxis], np.sin(x) + 0.15 * (0.2 + x) * noise


X_train, y_train = draw(3000)
X_test, y_test = draw(3000)

# %%
# Three quantiles, one network
# ----------------------------

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

below = (y_test[:, np.newaxis] <= predicted).mean(axis=0)
for q, share in zip(quantiles, below, strict=True):
    print(f"quantile {q:4.0%}: {share:6.1%} of the new targets are below")
inside = np.mean((predicted[:, 0] <= y_test) & (y_test <= predicted[:, -1]))
print(f"{inside:.1%} lie between the outer two, {0.9:.0%} are meant to")
print(f"mean D2 of the pinball losses: {network.score(X_test, y_test):.3f}")

# %%
# The band is narrow on the left and wide on the right, and lies off the median on
# the side where the noise has its long tail. Beyond the training data, in grey, it
# goes on in lines as ReLU layers do: there it says little, but it does not cross.

grid = np.linspace(-2, 9, 500)[:, np.newaxis]
low, median, high = network.predict(grid).T

figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
axes.scatter(X_test, y_test, s=4, color="0.6", label="new targets")
axes.fill_between(grid[:, 0], low, high, alpha=0.3, label="5 % to 95 %")
axes.plot(grid, median, label="median")
for left, right, label in ((-2, 0, "no training data"), (6, 9, None)):
    axes.axvspan(left, right, color="0.9", zorder=-1, label=label)
axes.set(xlabel="x", ylabel="y", xlim=(-2, 9), title="Nine tenths of what may come")
axes.legend(loc="upper left")
plt.show()
