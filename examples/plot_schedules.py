"""
Learning-rate schedules
=======================

Large steps get ahead fast, but noise throws them about; small steps come close, but
slowly. A schedule begins with the first and ends with the second. Here are those that
come with the estimators, drawn, and what each of them makes of the same task.
"""

# %%
# A noisy task
# ------------
#
# About a fifth of the variance of the target is noise. Half of that share is left of
# the loss, ``1/(2n) sum (y - a)^2``, when everything else has been learned.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skbackprop import BackpropRegressor

rng = np.random.default_rng(0)


def draw(n):
    X = rng.uniform(-1, 1, (n, 4))
    noise = 0.5 * rng.normal(size=n)
    return X, np.sin(4 * X[:, 0]) + 2 * X[:, 1] * X[:, 2] + noise, noise


X_train, y_train, _ = draw(2000)
X_val, y_val, noise = draw(2000)
floor = np.mean(noise**2) / 2 / y_train.var()
print(f"noise is {noise.var() / y_train.var():.0%} of the variance of the target")

# %%
# The schedules
# -------------
#
# All have 60 epochs and the same ``learning_rate_init``, which is on purpose a large
# one. "one_cycle" climbs up to it first; ``warmup_steps`` makes any other schedule do
# so, here within 1000 steps, which are ten epochs. A function of epoch and step is a
# schedule as well.


def stairs(epoch, step):
    return 0.1 * 0.3 ** (epoch // 15)


schedules = {
    "constant": {},
    "constant, warm-up": {"warmup_steps": 1000},
    "invscaling": {"learning_rate": "invscaling", "power_t": 0.3},
    "adaptive": {"learning_rate": "adaptive", "tol": 1e-3, "n_iter_no_change": 5},
    "exponential": {"learning_rate": "exponential", "decay_rate": 0.93},
    "cosine": {"learning_rate": "cosine"},
    "one_cycle": {"learning_rate": "one_cycle"},
    "a function": {"learning_rate": stairs},
}

# %%
# One network with each
# ---------------------
#
# Descent with momentum in batches of 20 rows, from three starts each. Losses are in
# units of the variance of the target.

histories = {}
for name, settings in schedules.items():
    histories[name] = []
    for seed in range(3):
        net = BackpropRegressor(
            (30,),
            solver="sgd",
            batch_size=20,
            learning_rate_init=0.1,
            max_iter=60,
            random_state=seed,
        ).set_params(**{"tol": 0, "n_iter_no_change": 60} | settings)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # 60 epochs are wanted
            net.fit(X_train, y_train, X_val=X_val, y_val=y_val)
        histories[name].append(net.history_)

print("validation loss at the end, from three starts:")
for name, runs in histories.items():
    losses = [run["validation_loss"].iloc[-1] for run in runs]
    print(f"{name:18}" + "".join(f"{loss:8.4f}" for loss in losses))
print(f"{'of the noise alone':18}{floor:8.4f}")

# %%
# Rate and loss, schedule by schedule
# -----------------------------------
#
# ``history_`` has the learning rate at the end of each epoch beside the losses. In the
# row below it, in blue, is the validation loss of the first start, with those of the
# other schedules in grey; the dotted line is the loss of the noise. Where the rate
# stays high, the loss is thrown about to the end; wherever it comes down, the loss
# settles not far above the noise. "invscaling" divides by a power of the samples seen
# so far, and so comes down at once.

figure, axes = plt.subplots(
    4, 4, figsize=(12, 9), layout="constrained", sharex=True, height_ratios=[2, 3] * 2
)
rates = axes[::2].ravel()
losses = axes[1::2].ravel()
for i, (name, runs) in enumerate(histories.items()):
    rates[i].plot(runs[0]["learning_rate"], color="tab:orange", linewidth=2)
    rates[i].set(title=name, ylim=(0, 0.11))
    for other in histories.values():
        losses[i].plot(other[0]["validation_loss"], color="0.8", linewidth=0.8)
    losses[i].plot(runs[0]["validation_loss"], color="tab:blue", linewidth=2)
    losses[i].axhline(floor, color="black", linestyle=":")
    losses[i].set(ylim=(0.1, 0.25))
for row, label in enumerate(["learning rate", "validation loss"] * 2):
    axes[row, 0].set_ylabel(label)
for ax in axes.flat:
    ax.label_outer()
figure.supxlabel("epoch")
plt.show()
