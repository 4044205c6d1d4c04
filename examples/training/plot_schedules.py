"""
Learning-rate schedules
=======================

This example compares the learning-rate schedules of the estimators on the same
regression task. With a large learning rate, the loss decreases fast at first, but then
fluctuates. With a small learning rate, the loss converges slowly, but closer to the
minimum. A schedule starts with large steps and ends with small steps. For the
parameters of the schedules, see :doc:`/guide/learning_rates`.
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
# takes 1000 steps, which is ten epochs. A schedule can also be a function of the epoch
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
# Learning rates
# --------------
#
# The DataFrame ``history_`` contains the learning rate at the end of each epoch.
# "invscaling" divides the learning rate by a power of the number of samples seen so
# far, so the learning rate decreases immediately. "adaptive" divides the learning rate
# by 5 if the training loss stops decreasing.

# sphinx_gallery_thumbnail_number = 1
figure, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
styles = ["-", "--", "-", "-", "-", "-", "-", ":"]
for (name, runs), style in zip(histories.items(), styles, strict=True):
    ax.plot(runs[0]["learning_rate"], style, linewidth=2, label=name)
ax.set(xlabel="epoch", ylabel="learning rate", title="Learning-rate schedules")
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %%
# Validation losses
# -----------------
#
# Each plot shows the validation loss of one schedule in blue, for the first seed. The
# gray lines are the validation losses of the other schedules. The dotted line is the
# loss of a perfect model.
#
# If the learning rate stays high, the loss fluctuates until the end. If the learning
# rate decreases, the loss converges to a value slightly above the dotted line.

figure, axes = plt.subplots(
    2, 4, figsize=(12, 6), layout="constrained", sharex=True, sharey=True
)
for ax, (name, runs) in zip(axes.flat, histories.items(), strict=True):
    for other in histories.values():
        ax.plot(other[0]["validation_loss"], color="0.8", linewidth=0.8)
    ax.plot(runs[0]["validation_loss"], color="tab:blue", linewidth=2)
    ax.axhline(noise_loss, color="black", linestyle=":")
    ax.set(title=name, ylim=(0.1, 0.25))
figure.supxlabel("epoch")
figure.supylabel("validation loss")
plt.show()
