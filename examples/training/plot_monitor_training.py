"""
Monitor training with callbacks and plots
=========================================

This example shows how to inspect a network during training. A network learns to
classify the points of two spirals. A callback stores the decision boundary after
several epochs. Further plots show the loss curves, the gradient norm of each layer and
the weights of the first layer. For details, see :doc:`/guide/monitoring` and
:doc:`/guide/callbacks`.
"""

# %%
# The two-spirals dataset
# -----------------------
#
# Each class is one arm of a spiral with one and a half turns. The classes are not
# linearly separable, so the network must learn a nonlinear decision boundary.

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from sklearn.datasets import load_digits

from skbackprop import (
    BackpropClassifier,
    EpochEndCallback,
    GradientFlowDisplay,
    LossCurveDisplay,
    WeightsDisplay,
)

rng = np.random.default_rng(0)


def make_data(n):
    y = rng.integers(0, 2, n)
    angle = 3 * np.pi * np.sqrt(rng.uniform(0.02, 1, n))
    arm = np.column_stack([np.cos(angle + np.pi * y), np.sin(angle + np.pi * y)])
    noise = rng.normal(scale=0.04, size=(n, 2))
    return arm * angle[:, np.newaxis] / (3 * np.pi) + noise, y


X_train, y_train = make_data(400)
X_val, y_val = make_data(400)

# %%
# Call a function after each epoch
# --------------------------------
#
# :class:`~skbackprop.EpochEndCallback` calls a function after each epoch of ``fit``.
# The function can call ``predict`` and ``score`` on the network. If the function
# returns True, training stops. ``take_snapshot`` stores the predicted probabilities on
# a grid after 5, 40, 100 and 200 epochs, and stops the training after 200 epochs.
# Callbacks require scikit-learn 1.9 or later.

snapshots = {5: None, 40: None, 100: None, 200: None}
ticks = np.linspace(-1.15, 1.15, 200)
grid = np.array(np.meshgrid(ticks, ticks)).reshape(2, -1).T


def take_snapshot(net, epoch):
    if net.n_iter_ in snapshots:
        snapshots[net.n_iter_] = net.predict_proba(grid)[:, 1].reshape(200, 200)
        accuracy = net.score(X_val, y_val)
        print(f"epoch {net.n_iter_:3d}: loss {epoch.loss:.4f}, ", end="")
        print(f"validation loss {epoch.validation_loss:.4f}, accuracy {accuracy:.3f}")
    return net.n_iter_ == 200


net = BackpropClassifier(
    (40, 40),
    activation="tanh",
    loss="log_loss",
    batch_size=40,
    learning_rate_init=0.005,
    max_iter=1000,
    random_state=0,
)
net.set_callbacks(EpochEndCallback(take_snapshot))
net.fit(X_train, y_train, X_val=X_val, y_val=y_val)
print(f"stopped after {net.n_iter_} epochs (max_iter={net.max_iter})")

# %%
# The first four plots show the predicted probability as color. The black line is the
# decision boundary: the probability is 0.5 on this line. In the right plot,
# :class:`~skbackprop.LossCurveDisplay` shows the loss curves. The gray lines mark the
# epochs of the other plots.

colors = ["tab:blue", "tab:orange"]
regions = LinearSegmentedColormap.from_list("regions", [colors[0], "w", colors[1]])
figure, axes = plt.subplots(
    1, 5, figsize=(12, 3), layout="constrained", width_ratios=[1, 1, 1, 1, 1.3]
)
for ax, (epoch, probability) in zip(axes[:4], snapshots.items(), strict=True):
    ax.pcolormesh(ticks, ticks, probability, cmap=regions, vmin=0, vmax=1, alpha=0.7)
    ax.contour(ticks, ticks, probability, [0.5], colors="black", linewidths=1.5)
    for label in (0, 1):
        points = X_train[y_train == label]
        ax.scatter(*points.T, s=9, color=colors[label], edgecolor="w", linewidth=0.4)
    ax.set(xticks=[], yticks=[], aspect="equal")
    ax.set_title(f"epoch {epoch}", fontsize=15)
for epoch in snapshots:
    axes[4].axvline(epoch, color="0.75")
LossCurveDisplay.from_estimator(net, ax=axes[4])
axes[4].set(yscale="log", xticks=list(snapshots), xlabel="epoch", ylabel="")
axes[4].set_title("loss", fontsize=15)
plt.show()

# %%
# Plot the gradient norms
# -----------------------
#
# The attribute ``gradient_norms_`` contains the norm of the weight gradient of each
# layer, computed on the last mini-batch of each epoch.
# :class:`~skbackprop.GradientFlowDisplay` plots these norms. The norms fluctuate
# between mini-batches, but all layers have norms of a similar size. With two hidden
# layers, the gradients do not vanish. When the network classifies almost all samples
# correctly, the norms of all three layers decrease. For a deeper network, see
# :ref:`sphx_glr_gallery_theory_plot_vanishing_gradient.py`.

figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
GradientFlowDisplay.from_estimator(net, ax=ax, linewidth=1)
ax.set_title("Gradient norm of each layer")
plt.show()

print("median gradient norm      layer 1  layer 2  layer 3")
for start in (0, 50, 100, 150):
    medians = np.median(net.gradient_norms_[start : start + 50], axis=0)
    shown = "".join(f"{norm:9.3f}" for norm in medians)
    print(f"epochs {start + 1:3d} to {start + 50:3d}       {shown}")

# %%
# Stop at a target loss
# ---------------------
#
# This function stops the training as soon as the validation loss is below 0.1. The plot
# shows the decision boundary and the validation samples. The crosses are misclassified
# samples, which are all close to the decision boundary.

net.set_callbacks(EpochEndCallback(lambda net, epoch: epoch.validation_loss < 0.1))
net.fit(X_train, y_train, X_val=X_val, y_val=y_val)
print(f"stopped after {net.n_iter_} epochs: ", end="")
print(f"validation loss {net.validation_loss_curve_[-1]:.4f}")

# sphinx_gallery_thumbnail_number = 3
probability = net.predict_proba(grid)[:, 1].reshape(200, 200)
is_wrong = net.predict(X_val) != y_val
figure, ax = plt.subplots(figsize=(5.5, 5), layout="constrained")
ax.pcolormesh(ticks, ticks, probability, cmap=regions, vmin=0, vmax=1, alpha=0.7)
ax.contour(ticks, ticks, probability, [0.5], colors="black", linewidths=1.5)
for label in (0, 1):
    points = X_val[(y_val == label) & ~is_wrong]
    ax.scatter(*points.T, s=14, color=colors[label], edgecolor="w", linewidth=0.5)
ax.scatter(*X_val[is_wrong].T, marker="x", color="black", label="misclassified")
ax.set(xticks=[], yticks=[], aspect="equal", title="Validation samples")
ax.legend(loc="upper right")
plt.show()

# %%
# Plot the weights of the first layer
# -----------------------------------
#
# If the inputs are pixels, the input weights of each unit in the first layer form an
# image. :class:`~skbackprop.WeightsDisplay` plots these images, in a callback or after
# the training. Positive weights are red, and negative weights are blue.
#
# After one epoch, the weights mostly show the random initial values. Later, they show
# the strokes of the digits. Some pixels at the left and right edges have the same value
# in all images. These pixels do not help to distinguish the digits, and the L2 penalty
# shrinks their weights.

X, y = load_digits(return_X_y=True)
constant = X.std(axis=0) == 0
figure, axes = plt.subplots(1, 3, figsize=(12, 4.3), layout="constrained")
figure.get_layout_engine().set(w_pad=0.2)
panels = dict(zip([1, 10, 100], axes, strict=True))


def draw_weights(net, epoch):
    if net.n_iter_ in panels:
        ax = panels[net.n_iter_]
        WeightsDisplay.from_estimator(net, ax=ax)
        ax.set_title(f"epoch {net.n_iter_}, accuracy {net.score(X, y):.3f}")
        magnitudes = np.abs(net.coefs_[0]).mean(axis=1)
        print(
            f"epoch {net.n_iter_:3d}: mean absolute weight {magnitudes.mean():.3f}, ",
            end="",
        )
        print(f"for constant pixels {magnitudes[constant].mean():.3f}")


digits = BackpropClassifier(
    (25,),
    activation="sigmoid",
    alpha=0.3,
    learning_rate="cosine",
    learning_rate_init=0.01,
    max_iter=100,
    random_state=0,
)
digits.set_callbacks(EpochEndCallback(draw_weights)).fit(X, y)
plt.show()
