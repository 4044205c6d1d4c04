"""
Regularization: weight penalties, dropout and early stopping
============================================================

This example compares regularization methods for a large network on a small, noisy
dataset. Without regularization, the network overfits: the training loss keeps
decreasing while the validation loss increases. The example trains the same network with
an L2 penalty, an L1 penalty, a max-norm constraint, dropout and early stopping. For the
parameters, see :doc:`/guide/regularization`.
"""

# %%
# A small, noisy dataset
# ----------------------
#
# The dataset consists of two overlapping half moons, with 100 training samples, 300
# validation samples and 5000 test samples. Only early stopping uses the validation
# samples, which is an advantage over the other methods. For the other networks, the
# validation loss is only monitored.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from sklearn.datasets import make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss

from skbackprop import BackpropClassifier, LossCurveDisplay

X_train, y_train = make_moons(100, noise=0.35, random_state=0)
X_val, y_val = make_moons(300, noise=0.35, random_state=1)
X_test, y_test = make_moons(5000, noise=0.35, random_state=2)

# %%
# Train six networks
# ------------------
#
# All networks have two hidden layers of 100 units and the same initial weights. The
# penalties ``alpha`` and ``l1_alpha`` are divided by the batch size, which is 25.
#
# The validation data passed to ``fit`` do not affect the training unless
# ``early_stopping=True``.

methods = {
    "no regularization": {},
    "L2: alpha=0.3": {"alpha": 0.3},
    "L1: l1_alpha=0.05": {"l1_alpha": 0.05},
    "max_norm=0.7": {"max_norm": 0.7},
    "dropout=0.6": {"dropout": 0.6},
    "early stopping": {"early_stopping": True},
}
networks = {}
for name, settings in methods.items():
    net = BackpropClassifier(
        (100, 100),
        loss="log_loss",
        batch_size=25,
        max_iter=300,
        tol=0,
        n_iter_no_change=10 if name == "early stopping" else 300,
        random_state=0,
    ).set_params(**{"alpha": 0.0} | settings)
    with warnings.catch_warnings():
        # Training runs for a fixed number of epochs, so ignore this warning.
        warnings.simplefilter("ignore", ConvergenceWarning)
        networks[name] = net.fit(X_train, y_train, X_val=X_val, y_val=y_val)

print(f"{'':18}epochs   loss: training  test      accuracy: training  test")
for name, net in networks.items():
    print(
        f"{name:18}{net.n_iter_:6d}"
        f"{log_loss(y_train, net.predict_proba(X_train)):18.2f}"
        f"{log_loss(y_test, net.predict_proba(X_test)):6.2f}"
        f"{net.score(X_train, y_train):24.2f}{net.score(X_test, y_test):6.3f}"
    )

# %%
# Loss curves
# -----------
#
# Without regularization, the validation loss decreases for 38 epochs. The validation
# loss then increases to more than its initial value. Early stopping ends the training
# soon after the minimum and restores the best weights. With a penalty or a max-norm
# constraint, the validation loss remains low. Dropout delays the increase.
#
# With a penalty, the training loss includes the penalty and is above the validation
# loss. With dropout, the training loss is computed with dropped units.

figure, axes = plt.subplots(2, 3, figsize=(11, 6.4), layout="constrained")
for ax, (name, net) in zip(axes.flat, networks.items(), strict=True):
    LossCurveDisplay.from_estimator(net, ax=ax)
    ax.set(title=name, xlim=(-10, 310), ylim=(0, 1.25))
    ax.legend(loc="upper right")
    ax.label_outer()
plt.show()

# %%
# Validation losses
# -----------------
#
# This plot compares the validation losses of all networks.

# sphinx_gallery_thumbnail_number = 2
figure, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
styles = ["-", "-", "--", "-.", ":", "-"]
for (name, net), style in zip(networks.items(), styles, strict=True):
    epochs = range(1, net.n_iter_ + 1)
    ax.plot(epochs, net.validation_loss_curve_, style, linewidth=2, label=name)
ax.set(xlabel="epoch", ylabel="validation loss", ylim=(0.2, 1))
ax.set_title("Effect of regularization")
ax.legend()
plt.show()

# %%
# Decision boundaries
# -------------------
#
# The color shows the predicted probability of a class. On the black line, which is the
# decision boundary, the probability is 0.5. The boundary of an overfitted network
# curves around single samples. Regularized networks predict probabilities closer to
# 0.5, which have light colors in the plots. Regularization reduces the test loss
# strongly, while the test accuracy changes little.

colors = ["tab:blue", "tab:orange"]
regions = LinearSegmentedColormap.from_list("regions", [colors[0], "w", colors[1]])
x, y = np.linspace(-2.2, 3.2, 200), np.linspace(-1.8, 2.3, 200)
grid = np.array(np.meshgrid(x, y)).reshape(2, -1).T

figure, axes = plt.subplots(2, 3, figsize=(11, 6), layout="constrained")
for ax, (name, net) in zip(axes.flat, networks.items(), strict=True):
    probability = net.predict_proba(grid)[:, 1].reshape(200, 200)
    ax.pcolormesh(x, y, probability, cmap=regions, vmin=0, vmax=1, alpha=0.7)
    ax.contour(x, y, probability, [0.5], colors="black", linewidths=1.5)
    for label in (0, 1):
        points = X_train[y_train == label]
        ax.scatter(*points.T, s=16, color=colors[label], edgecolor="w", linewidth=0.5)
    ax.set(xticks=[], yticks=[], title=name)
plt.show()
