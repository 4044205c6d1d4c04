r"""
Vanishing gradients in deep networks
====================================

This example shows why the gradients vanish in a deep sigmoid network but not in a ReLU
network. Back-propagation multiplies the error by the derivative of the activation in
each layer. The derivative of the sigmoid is at most 1/4, so the gradients of the first
layers become very small. The derivative of ReLU is 1 for active units. The plots show
both derivatives and the gradient norm of each layer in two networks of ten layers. For
the equations, see :doc:`/backpropagation`.
"""

# %%
# Derivatives of the activations
# ------------------------------
#
# The ``backward`` method of an activation multiplies an error by the derivative of the
# activation, in place. If the error is one, the result is the derivative.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from skbackprop import BackpropClassifier, GradientFlowDisplay
from skbackprop.core.activations import ReLU, Sigmoid


def compute_derivative(activation, z):
    z = z[:, np.newaxis].copy()
    a, error = np.empty_like(z), np.ones_like(z)
    activation.forward(z, a)
    activation.backward(error, a, z, np.empty_like(z))
    return error[:, 0]


z = np.linspace(-6, 6, 601)
derivatives = {
    "sigmoid": compute_derivative(Sigmoid(), z),
    "ReLU": compute_derivative(ReLU(), z),
}
for name, values in derivatives.items():
    print(f"maximum derivative, {name}: {values.max():.2f}")
print(f"nine sigmoid layers scale an error by (1/4)^9 = {0.25**9:.1e} or less")

colors = {"sigmoid": "tab:blue", "ReLU": "tab:orange"}
figure, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
for name, values in derivatives.items():
    ax.plot(z, values, color=colors[name], linewidth=2, label=name)
ax.axhline(0.25, color="0.6", linestyle=":")
ax.text(-6, 0.27, "1/4", color="0.4")
ax.set(xlabel="z", ylabel="f'(z)", title="Derivatives of the activations")
ax.legend()
plt.show()

# %%
# Train two networks of ten layers
# --------------------------------
#
# Both networks have 64 inputs, nine hidden layers of 30 units and 10 sigmoid outputs,
# and minimize the squared-error loss. Only the hidden activation differs. The networks
# are trained for 60 epochs with stochastic gradient descent, without momentum and with
# a batch size of 50.
#
# The attribute ``gradient_norms_`` contains the norm of the weight gradient of each
# layer, computed on the last mini-batch of each epoch.

X, y = load_digits(return_X_y=True)
networks = {}
for name in derivatives:
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
        # Training runs for a fixed number of epochs, so ignore this warning.
        warnings.simplefilter("ignore", ConvergenceWarning)
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
# In the first epoch, the gradient norm of the sigmoid network decreases by a similar
# factor from each layer to the layer below. On a logarithmic scale, this is almost a
# straight line. The first layer is an exception, because this layer has more inputs
# than the other layers. The small initial weights also contribute to the decrease,
# because back-propagation multiplies the error by the weights.

# sphinx_gallery_thumbnail_number = 2
figure, ax = plt.subplots(figsize=(6.5, 4.4), layout="constrained")
layers = np.arange(1, 11)
for name, net in networks.items():
    for epoch, style in [(1, "o-"), (60, "s--")]:
        label = f"{name}, epoch {epoch}"
        norms = net.gradient_norms_[epoch - 1]
        ax.plot(layers, norms, style, color=colors[name], label=label)
ax.set(xlabel="layer", ylabel="norm of dC/dW", yscale="log", xticks=layers)
ax.set_title("Gradient norm of each layer")
ax.legend(loc="lower right")
plt.show()

# %%
# Gradient norms during training
# ------------------------------
#
# In the first layers of the sigmoid network, the gradients remain small during the
# whole training. These layers do not change, and their outputs are almost the same for
# all digits, so the network does not learn. In the ReLU network, all layers learn.

figure, axes = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained", sharey=True)
for ax, (name, net) in zip(axes, networks.items(), strict=True):
    GradientFlowDisplay.from_estimator(net, ax=ax)
    ax.set_title(f"{name}, accuracy {net.score(X, y):.2f}")
axes[0].get_legend().remove()
axes[1].set_ylabel("")
plt.show()
