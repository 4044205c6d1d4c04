"""
Watching a network learn
========================

Training need not be a black box that is opened at its end. Here a network learns to
tell two spirals apart, and is looked at on the way: what it would answer after a few
epochs, how its losses fall, how large the gradients of its layers are, and what the
weights of a first layer look like as images.
"""

# %%
# Two spirals
# -----------
#
# Each class is an arm of a spiral, wound once and a half around the other. No straight
# line helps; a network has to bend its boundary along.

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


def draw(n):
    y = rng.integers(0, 2, n)
    angle = 3 * np.pi * np.sqrt(rng.uniform(0.02, 1, n))
    arm = np.column_stack([np.cos(angle + np.pi * y), np.sin(angle + np.pi * y)])
    noise = rng.normal(scale=0.04, size=(n, 2))
    return arm * angle[:, np.newaxis] / (3 * np.pi) + noise, y


X_train, y_train = draw(400)
X_val, y_val = draw(400)

# %%
# A look after some epochs
# ------------------------
#
# :class:`~skbackprop.EpochEndCallback` calls a function after each epoch of ``fit``. In it
# the network predicts as ever. This one paints the plane with the probability of one
# class, at four moments; with the last of them it returns True, which ends the
# training. (Callbacks take scikit-learn 1.9.)

snapshots = {5: None, 40: None, 100: None, 200: None}
ticks = np.linspace(-1.15, 1.15, 200)
plane = np.array(np.meshgrid(ticks, ticks)).reshape(2, -1).T


def take_snapshot(net, epoch):
    if net.n_iter_ in snapshots:
        snapshots[net.n_iter_] = net.predict_proba(plane)[:, 1].reshape(200, 200)
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
print(f"stopped after {net.n_iter_} epochs of at most {net.max_iter}")

# %%
# Colour is the probability, the black line where it is one half. At the right,
# :class:`~skbackprop.LossCurveDisplay` draws the losses; grey lines mark the epochs of
# the pictures.

colors = ["tab:blue", "tab:orange"]
regions = LinearSegmentedColormap.from_list("regions", [colors[0], "w", colors[1]])
figure, axes = plt.subplots(
    1, 5, figsize=(12, 3), layout="constrained", width_ratios=[1, 1, 1, 1, 1.3]
)
for ax, (epoch, picture) in zip(axes[:4], snapshots.items(), strict=True):
    ax.pcolormesh(ticks, ticks, picture, cmap=regions, vmin=0, vmax=1, alpha=0.7)
    ax.contour(ticks, ticks, picture, [0.5], colors="black", linewidths=1.5)
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
# How large the gradients are
# ---------------------------
#
# The norm of the gradient of each layer's weights, in the last batch of each epoch, is
# in ``gradient_norms_``, and drawn by :class:`~skbackprop.GradientFlowDisplay`. From
# batch to batch it jumps, but one layer gets about as much as another: nothing
# vanishes on the way through two hidden layers. As the network comes to be right about
# nearly all samples, all three fall. (:ref:`Where it does vanish
# <sphx_glr_gallery_plot_vanishing_gradient.py>` it takes more layers.)

figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
GradientFlowDisplay.from_estimator(net, ax=ax, linewidth=1)
ax.set_title("Gradients of the network for the spirals")
plt.show()

print("median of the norms       layer 1  layer 2  layer 3")
for start in (0, 50, 100, 150):
    medians = np.median(net.gradient_norms_[start : start + 50], axis=0)
    shown = "".join(f"{norm:9.3f}" for norm in medians)
    print(f"epochs {start + 1:3d} to {start + 50:3d}       {shown}")

# %%
# Stopping when it is good enough
# -------------------------------
#
# A function that returns True ends the training.

net.set_callbacks(EpochEndCallback(lambda net, epoch: epoch.validation_loss < 0.1))
net.fit(X_train, y_train, X_val=X_val, y_val=y_val)
print(f"stopped after {net.n_iter_} epochs: ", end="")
print(f"validation loss {net.validation_loss_curve_[-1]:.4f}")

# %%
# What the first layer looks for
# ------------------------------
#
# Where inputs are pixels, the weights into a unit of the first layer are an image:
# :class:`~skbackprop.WeightsDisplay` draws them, from a callback as well as
# afterwards. Red is positive, blue negative. After one epoch they are still little but
# the noise of the start; later there are strokes, and gaps between strokes. The
# pixels that are the same in all digits, at the left and right edge, have nothing to
# say, and the penalty fades their weights out.

X, y = load_digits(return_X_y=True)
same = X.std(axis=0) == 0
figure, axes = plt.subplots(1, 3, figsize=(12, 4.3), layout="constrained")
figure.get_layout_engine().set(w_pad=0.2)
panels = dict(zip([1, 10, 100], axes, strict=True))


def draw_weights(net, epoch):
    if net.n_iter_ in panels:
        ax = panels[net.n_iter_]
        WeightsDisplay.from_estimator(net, ax=ax)
        ax.set_title(f"epoch {net.n_iter_}, accuracy {net.score(X, y):.3f}")
        sizes = np.abs(net.coefs_[0]).mean(axis=1)
        print(
            f"epoch {net.n_iter_:3d}: mean size of a weight {sizes.mean():.3f}, ",
            end="",
        )
        print(f"of pixels that are always the same {sizes[same].mean():.3f}")


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
