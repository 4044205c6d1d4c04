r"""
Gradient descent by hand
========================

Everything a neural network does to learn is gradient descent. This example does
it three times: on a parabola, on one sigmoid neuron written out in ten lines of
NumPy, and with :class:`~skbackprop.BackpropClassifier`, which repeats the ten
lines number by number.
"""

# %%
# Down a parabola
# ---------------
#
# The curve :math:`y = x^2 - 4x + 6` has its lowest point at :math:`x = 2`. Its
# slope :math:`2x - 4` tells which way is down. Starting from :math:`x = 8`, take
# steps of ``rate * slope`` against the slope. Each step shrinks the distance from
# the minimum by the same factor, :math:`1 - 2 \cdot 0.1 = 0.8`.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

from skbackprop import BackpropClassifier


def curve(x):
    return x**2 - 4 * x + 6


def slope(x):
    return 2 * x - 4


rate = 0.1
path = [8.0]
while abs(slope(path[-1])) > 0.005:
    path.append(path[-1] - rate * slope(path[-1]))
path = np.array(path)

print("step      x       y   slope")
for step in [0, 1, 2, 3, 5, 10, 20, len(path) - 1]:
    x = path[step]
    print(f"{step:4d} {x:7.4f} {curve(x):7.4f} {slope(x):7.4f}")

np.testing.assert_allclose(path[-1], 2.0, atol=0.005)
np.testing.assert_allclose(path - 2.0, 6.0 * 0.8 ** np.arange(len(path)))

# %%
# The steps shorten by themselves, because the slope flattens towards the minimum.
# A rate that is too large does not settle: above 1 each step lands farther away
# than it started.

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")

xs = np.linspace(-2.6, 8.6, 200)
left.plot(xs, curve(xs), color="0.6")
left.plot(path, curve(path), "o-", color="tab:blue", label="from x = 8, rate 0.1")
left.plot(2, 2, "*", color="tab:red", markersize=14, label="minimum (2, 2)")
left.set(xlabel="x", ylabel="y", title="$y = x^2 - 4x + 6$", ylim=(0, 44))
left.legend()

steps = np.arange(21)
for other_rate, style in [(0.02, ":"), (0.1, "-"), (0.95, "--"), (1.02, "-.")]:
    distance = 6 * np.abs(1 - 2 * other_rate) ** steps
    right.plot(steps, distance, style, linewidth=2, label=f"rate {other_rate}")
right.set(
    xlabel="step",
    ylabel="distance from the minimum",
    yscale="log",
    title="The learning rate decides",
    xticks=range(0, 21, 5),
)
right.legend()
plt.show()

# %%
# One neuron, ten lines
# ---------------------
#
# A sigmoid neuron computes :math:`\hat y = \sigma(x \cdot w + b)`. Its quadratic
# cost over :math:`n` samples is
#
# .. math:: C = \frac{1}{2n} \sum_i (\hat y_i - y_i)^2,
#
# and by the chain rule, with :math:`\sigma' = \sigma (1 - \sigma)`,
#
# .. math::
#
#    \frac{\partial C}{\partial w} = \frac{1}{n} \sum_i
#    (\hat y_i - y_i)\, \hat y_i (1 - \hat y_i)\, x_i,
#
# and the same without :math:`x_i` for :math:`b`. The task: tell malignant from
# benign tumours, in scikit-learn's breast cancer data.

X, y = load_breast_cancer(return_X_y=True)
X = StandardScaler().fit_transform(X)
n, n_inputs = X.shape

# %%
# ``fit`` draws its initial weights from ``RandomState(random_state)``, uniformly
# within :math:`\pm\sqrt{2 / (n_\text{in} + n_\text{out})}` for sigmoid neurons. The
# same draws give the same start. The bias begins where an output for an average input
# is the share of the benign.

rng = np.random.RandomState(0)
bound = np.sqrt(2.0 / (n_inputs + 1))
w = rng.uniform(-bound, bound, n_inputs)
b = np.log(y.mean() / (1 - y.mean()))

rate, n_epochs = 0.5, 300
costs = []
for _ in range(n_epochs):
    y_hat = 1 / (1 + np.exp(-(X @ w + b)))
    costs.append(((y_hat - y) ** 2).sum() / (2 * n))
    delta = (y_hat - y) * y_hat * (1 - y_hat)
    w -= rate * X.T @ delta / n
    b -= rate * delta.sum() / n

# %%
# The estimator
# -------------
#
# No hidden layer, plain gradient descent (no momentum), all samples in one batch,
# no penalty: that is the loop above. The inputs have been standardised already. Each
# call of :meth:`~skbackprop.BackpropClassifier.partial_fit` is one epoch.

net = BackpropClassifier(
    hidden_layer_sizes=(),
    activation="sigmoid",
    solver="sgd",
    momentum=0,
    learning_rate_init=rate,
    batch_size=n,
    alpha=0,
    standardize=False,
    random_state=0,
)
for _ in range(n_epochs):
    net.partial_fit(X, y, classes=[0, 1])

np.testing.assert_allclose(net.loss_curve_, costs, rtol=1e-10)
np.testing.assert_allclose(net.coefs_[0][:, 0], w, rtol=1e-8)
np.testing.assert_allclose(net.intercepts_[0][0], b, rtol=1e-8)

print("epoch   cost by hand     cost by the estimator")
for epoch in [1, 10, 100, 300]:
    print(f"{epoch:5d} {costs[epoch - 1]:.12f}  {net.loss_curve_[epoch - 1]:.12f}")
largest = np.abs(net.coefs_[0][:, 0] - w).max()
print(f"largest difference of a weight: {largest:.1e}")
print(f"accuracy on the training data:  {net.score(X, y):.3f}")

# %%
# Both descents are one.

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
epochs = np.arange(1, n_epochs + 1)
ax.plot(
    epochs, net.loss_curve_, "tab:orange", linewidth=6, alpha=0.5, label="estimator"
)
ax.plot(epochs, costs, color="tab:blue", linewidth=1.5, label="ten lines of NumPy")
ax.set(xlabel="epoch", ylabel="quadratic cost", yscale="log", title="One neuron learns")
ax.legend()
plt.show()
