"""
Learning-rate schedules
=======================

This example compares the learning-rate schedules of the estimators on the same
regression task. A large learning rate makes fast progress at first, but the loss
fluctuates. A small learning rate converges closer to the minimum, but slowly. A
schedule starts with large steps and ends with small steps.
"""

# %%
# A noisy regression task
# -----------------------
#
# Noise accounts for about 20% of the variance of the target. The loss is
# ``1/(2n) sum (y - a)^2``, so the loss of a perfect model is half of this fraction.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skbackprop import BackpropRegressor

rng = np.random.default_rng(0)


def make_data(n):
    X = rng.uniform(-1, 1, (n, 4))
    noise = 0.5 * rng.normal(size=n)
    return X, np.sin(4 * X[:, 0]) + 2 * X[:, 1] * X[:, 2] + noise, noise


X_train, y_train, _ = make_data(2000)
X_val, y_val, noise = make_data(2000)
noise_loss = np.mean(noise**2) / 2 / y_train.var()
print(f"noise is {noise.var() / y_train.var():.0%} of the variance of the target")

# %%
# Schedules
# ---------
#
# All networks train for 60 epochs with the same ``learning_rate_init``, which is
# intentionally large. ``"one_cycle"`` first increases the learning rate up to this
# value. ``warmup_steps`` adds such a warm-up to any other schedule. Here, the warm-up
# takes 1000 steps, which are ten epochs. A schedule can also be a function of the epoch
# and the step.


def step_decay(epoch, step):
    return 0.1 * 0.3 ** (epoch // 15)


schedules = {
    "constant": {},
    "constant, warm-up": {"warmup_steps": 1000},
    "invscaling": {"learning_rate": "invscaling", "power_t": 0.3},
    "adaptive": {"learning_rate": "adaptive", "tol": 1e-3, "n_iter_no_change": 5},
    "exponential": {"learning_rate": "exponential", "decay_rate": 0.93},
    "cosine": {"learning_rate": "cosine"},
    "one_cycle": {"learning_rate": "one_cycle"},
    "custom function": {"learning_rate": step_decay},
}

# %%
# Train with each schedule
# ------------------------
#
# The solver is stochastic gradient descent with momentum and a batch size of 20. Each
# schedule is used with three random seeds. The losses are relative to the variance of
# the target, because the regressor standardizes the target.

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
            # Training runs for a fixed number of epochs, so ignore this warning.
            warnings.simplefilter("ignore", ConvergenceWarning)
            net.fit(X_train, y_train, X_val=X_val, y_val=y_val)
        histories[name].append(net.history_)

print("final validation loss for three seeds:")
for name, runs in histories.items():
    losses = [run["validation_loss"].iloc[-1] for run in runs]
    print(f"{name:18}" + "".join(f"{loss:8.4f}" for loss in losses))
print(f"{'noise only':18}{noise_loss:8.4f}")

# %%
# Learning rates and validation losses
# ------------------------------------
#
# The DataFrame ``history_`` contains the losses and the learning rate at the end of
# each epoch. The plots show the learning rate in orange and the validation loss of the
# first seed in blue. The gray lines are the validation losses of the other schedules.
# The dotted line is the loss of a perfect model.
#
# If the learning rate stays high, the loss fluctuates until the end. If the learning
# rate decreases, the loss converges to a value slightly above the dotted line.
# "invscaling" divides the learning rate by a power of the number of samples seen so
# far, so the learning rate decreases immediately.

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
    losses[i].axhline(noise_loss, color="black", linestyle=":")
    losses[i].set(ylim=(0.1, 0.25))
for row, label in enumerate(["learning rate", "validation loss"] * 2):
    axes[row, 0].set_ylabel(label)
for ax in axes.flat:
    ax.label_outer()
figure.supxlabel("epoch")
plt.show()
