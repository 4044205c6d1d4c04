r"""
Why gradients vanish
====================

The slope of the sigmoid is never above 1/4, and back-propagation multiplies the
error by it once for every layer it passes. In a deep network little is left for
the first layers. The slope of a ReLU is 1 wherever the neuron is active. This
example draws the slopes, and the gradient of each layer in two networks of ten layers.
"""

# %%
# The slopes
# ----------
#
# An activation, one of the building blocks in ``skbackprop.core``, multiplies an error
# by its slope, in place. Given an error of one, what comes back is the slope itself.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from skbackprop import BackpropClassifier, GradientFlowDisplay
from skbackprop.core.activations import ReLU, Sigmoid


def slope(activation, z):
    z = z[:, np.newaxis].copy()
    a, error = np.empty_like(z), np.ones_like(z)
    activation.forward(z, a)
    activation.backward(error, a, z, np.empty_like(z))
    return error[:, 0]


z = np.linspace(-6, 6, 601)
slopes = {"sigmoid": slope(Sigmoid(), z), "ReLU": slope(ReLU(), z)}
for name, values in slopes.items():
    print(f"largest slope, {name}: {values.max():.2f}")
print(f"nine sigmoids multiply an error by at most (1/4)^9 = {0.25**9:.1e}")

# %%
# Ten layers
# ----------
#
# 64 pixels, nine hidden layers of 30 neurons, 10 sigmoid outputs, the quadratic
# cost: only the hidden activation differs. Sixty epochs of plain gradient descent in
# mini-batches of 50. The norm of the gradient of each layer's weights, in the last
# mini-batch of each epoch, is in ``gradient_norms_``.

X, y = load_digits(return_X_y=True)
networks = {}
for name in slopes:
    net = BackpropClassifier(
        (30,) * 9,
        activation=name.lower(),
        solver="sgd",
        momentum=0,
        learning_rate_init=0.1,
        batch_size=50,
        alpha=0,
        max_iter=60,
        tol=0,
        n_iter_no_change=60,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 60 epochs are wanted
        networks[name] = net.fit(X, y)

print("norm of dC/dW          layer 1  layer 10     ratio")
for name, net in networks.items():
    for epoch in (1, 60):
        first, *_, last = net.gradient_norms_[epoch - 1]
        print(f"{name:9}epoch {epoch:2d} {first:13.1e}{last:10.1e}{first / last:10.1e}")
print()
for name, net in networks.items():
    print(f"{name:9}accuracy on the training data: {net.score(X, y):.3f}")

# %%
# In the first epoch the gradient of the sigmoid network falls by much the same factor
# from each layer to the one below it, but for the lowest, which has more inputs than
# the others: nearly a straight line on a logarithmic scale.
# (The small initial weights, which the error is multiplied by as well, do their part.)

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
colors = {"sigmoid": "tab:blue", "ReLU": "tab:orange"}
layers = np.arange(1, 11)
for name, net in networks.items():
    color = colors[name]
    left.plot(z, slopes[name], color=color, linewidth=2, label=name)
    for epoch, style in [(1, "o-"), (60, "s--")]:
        label = f"{name}, epoch {epoch}"
        norms = net.gradient_norms_[epoch - 1]
        right.plot(layers, norms, style, color=color, label=label)
left.axhline(0.25, color="0.6", linestyle=":")
left.text(-6, 0.27, "1/4", color="0.4")
left.set(xlabel="z", ylabel="f'(z)", title="Slopes")
left.legend()
right.set(xlabel="layer", ylabel="norm of dC/dW", yscale="log", xticks=layers)
right.set_title("Gradient by layer")
right.legend(loc="lower right")
plt.show()

# %%
# Epoch by epoch
# --------------
#
# In the sigmoid network it stays so. The first layers stand still, so that the last
# ones see the same thing whatever the digit, and nothing is learned. In the ReLU
# network all layers learn together.

figure, axes = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained", sharey=True)
for ax, (name, net) in zip(axes, networks.items(), strict=True):
    GradientFlowDisplay.from_estimator(net, ax=ax)
    ax.set_title(f"{name}, accuracy {net.score(X, y):.2f}")
axes[0].get_legend().remove()
axes[1].set_ylabel("")
plt.show()
