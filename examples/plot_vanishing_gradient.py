r"""
Why gradients vanish
====================

The slope of the sigmoid is never above 1/4, and back-propagation multiplies the
error by it once for every layer it passes. In a deep network little is left for
the first layers. The slope of a ReLU is 1 wherever the neuron is active. This
example measures the gradient of each layer in a network of ten layers, with the
building blocks of ``skbackprop.core``.
"""

# %%
# The slopes
# ----------
#
# An activation multiplies an error by its slope, in place. Given an error of one,
# what comes back is the slope itself.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.preprocessing import StandardScaler

from skbackprop.core.activations import ReLU, Sigmoid
from skbackprop.core.initializers import Uniform
from skbackprop.core.losses import SquaredError
from skbackprop.core.network import Network
from skbackprop.core.objective import Objective
from skbackprop.core.optimizers import SGD
from skbackprop.core.samples import Samples


def slope(activation, z):
    z = z[:, np.newaxis].copy()
    a, error = np.empty_like(z), np.ones_like(z)
    activation.forward(z, a)
    activation.backward(error, a, z, np.empty_like(z))
    return error[:, 0]


z = np.linspace(-6, 6, 601)
print(f"largest slope: sigmoid {slope(Sigmoid(), z).max():.2f}, ReLU", end=" ")
print(f"{slope(ReLU(), z).max():.2f}")
print(f"nine sigmoids multiply an error by at most (1/4)^9 = {0.25**9:.1e}")

# %%
# Ten layers
# ----------
#
# 64 pixels, nine hidden layers of 30 neurons, 10 sigmoid outputs, the quadratic
# cost. The initial weights are drawn as the estimators draw them, so that only the
# hidden activation differs. ``descend`` writes the gradient of every layer into the
# workspace.

X, y = load_digits(return_X_y=True)
X = StandardScaler().fit_transform(X)
samples = Samples(X, targets=np.eye(10), codes=y)
sizes = [64, *[30] * 9, 10]
layers = np.arange(1, len(sizes))


def make_network(hidden):
    network = Network(sizes, [*[hidden] * 9, Sigmoid()], "float64")
    rule = Uniform(hidden.glorot_factor)
    network.initialize(np.random.RandomState(0), [rule] * 10)
    return network


def gradient_norms(network):
    objective = Objective(network, SquaredError(), alpha=0.0, mean_weight=1.0)
    work = objective.workspace(samples, len(samples))
    samples.slice(slice(0, len(samples)), work)
    objective.descend(work, len(samples))
    return np.array([np.linalg.norm(dW) for dW in work.dW])


# %%
# Training
# --------
#
# Sixty epochs of plain gradient descent in mini-batches of 50, written out: what the
# estimators do with ``solver="sgd", momentum=0``, but for the few rows left over that
# do not fill a batch. The gradient over all samples is measured at the start and
# after every epoch.


def train(network, n_epochs=60, batch_size=50, rate=0.1):
    objective = Objective(network, SquaredError(), alpha=0.0, mean_weight=1.0)
    work = objective.workspace(samples, batch_size)
    optimizer = SGD(momentum=0.0)
    slots = np.zeros((optimizer.slots, network.params.size))
    scratch = np.empty_like(network.params)
    rng = np.random.default_rng(0)
    norms = [gradient_norms(network)]
    t = 0
    for _ in range(n_epochs):
        order = rng.permutation(len(samples))
        for start in range(0, len(order) - batch_size + 1, batch_size):
            samples.gather(order[start : start + batch_size], work)
            objective.descend(work, batch_size)
            t += 1
            optimizer.step(network.params, work.grad, slots, scratch, rate, t)
        norms.append(gradient_norms(network))
    accuracy = np.mean(network.predict(X).argmax(axis=1) == y)
    return np.array(norms), accuracy


results = {f.__class__.__name__: train(make_network(f)) for f in (Sigmoid(), ReLU())}

print()
print("norm of dC/dW           layer 1  layer 10     ratio")
for name, (norms, _) in results.items():
    for when, row in [("at the start", norms[0]), ("after training", norms[-1])]:
        ratio = row[0] / row[-1]
        print(f"{name:9}{when:14}{row[0]:8.1e}{row[-1]:10.1e}{ratio:10.1e}")
print()
for name, (_, accuracy) in results.items():
    print(f"{name:9}accuracy on the training data: {accuracy:.3f}")

# %%
# At the start, the gradient of the sigmoid network falls by much the same factor from
# each layer to the one below it: nearly a straight line on a logarithmic scale. (The
# small initial weights, which the error is multiplied by as well, do their part.) The
# first layers stand still, so that the last ones see the same thing whatever the
# digit, and nothing is learned. In the ReLU network all layers learn together.

fig, axes = plt.subplots(1, 3, figsize=(14, 4.4), layout="constrained")

axes[0].plot(z, slope(Sigmoid(), z), color="tab:blue", linewidth=2, label="sigmoid")
axes[0].plot(z, slope(ReLU(), z), color="tab:orange", linewidth=2, label="ReLU")
axes[0].axhline(0.25, color="0.6", linestyle=":")
axes[0].text(-6, 0.27, "1/4", color="0.4")
axes[0].set(xlabel="z", ylabel="f'(z)", title="Slopes")
axes[0].legend()

colors = {"Sigmoid": "tab:blue", "ReLU": "tab:orange"}
for name, (norms, _) in results.items():
    axes[1].plot(layers, norms[0], "o-", color=colors[name], label=f"{name}, start")
    axes[1].plot(layers, norms[-1], "s--", color=colors[name], label=f"{name}, trained")
axes[1].set(
    xlabel="layer",
    ylabel="norm of dC/dW",
    yscale="log",
    title="Gradient by layer",
    xticks=layers,
    ylim=(1e-12, 5),
)
axes[1].legend(loc="lower right", ncols=2)

for name, (norms, _) in results.items():
    for layer, style in [(10, "-"), (5, "--"), (1, ":")]:
        axes[2].plot(
            norms[:, layer - 1],
            style,
            color=colors[name],
            label=f"{name}, layer {layer}",
        )
axes[2].set(
    xlabel="epoch",
    ylabel="norm of dC/dW",
    yscale="log",
    title="Gradient in training",
    ylim=(1e-12, 5),
)
axes[2].legend(loc="lower right", ncols=2)
plt.show()
