r"""
Gradient descent from scratch
=============================

Neural networks are trained with gradient descent. This example implements gradient
descent in NumPy, first for a parabola and then for a single sigmoid neuron. The last
part shows that :class:`~skbackprop.BackpropClassifier` computes the same weights as
the NumPy code. For the equations of deeper networks, see :doc:`/backpropagation`.
"""

# %%
# Minimize a parabola
# -------------------
#
# The function :math:`y = x^2 - 4x + 6` has its minimum at :math:`x = 2`, and its
# derivative is :math:`2x - 4`. Gradient descent starts at :math:`x = 8` and subtracts
# ``rate * derivative(x)`` from :math:`x` in each step. With a learning rate of 0.1,
# each step multiplies the distance from the minimum by :math:`1 - 2 \cdot 0.1 = 0.8`.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

from skbackprop import BackpropClassifier


def function(x):
    return x**2 - 4 * x + 6


def derivative(x):
    return 2 * x - 4


rate = 0.1
path = [8.0]
while abs(derivative(path[-1])) > 0.005:
    path.append(path[-1] - rate * derivative(path[-1]))
path = np.array(path)

print("step      x       y  derivative")
for step in [0, 1, 2, 3, 5, 10, 20, len(path) - 1]:
    x = path[step]
    print(f"{step:4d} {x:7.4f} {function(x):7.4f} {derivative(x):10.4f}")

np.testing.assert_allclose(path[-1], 2.0, atol=0.005)
np.testing.assert_allclose(path - 2.0, 6.0 * 0.8 ** np.arange(len(path)))

# %%
# The steps become shorter near the minimum, because the derivative approaches zero.

# sphinx_gallery_thumbnail_number = 1
fig, ax = plt.subplots(figsize=(6.5, 4.2), layout="constrained")
xs = np.linspace(-2.6, 8.6, 200)
ax.plot(xs, function(xs), color="0.6")
ax.plot(
    path, function(path), "o-", color="tab:blue", label="gradient descent, rate 0.1"
)
ax.plot(2, 2, "*", color="tab:red", markersize=14, label="minimum (2, 2)")
ax.set(xlabel="x", ylabel="y", title="$y = x^2 - 4x + 6$", ylim=(0, 44))
ax.legend(loc="upper center")
plt.show()

# %%
# Choose the learning rate
# ------------------------
#
# The learning rate determines the speed of gradient descent. If the learning rate is
# above 1, gradient descent diverges: each step increases the distance from the minimum.

fig, ax = plt.subplots(figsize=(6.5, 4.2), layout="constrained")
steps = np.arange(21)
for other_rate, style in [(0.02, ":"), (0.1, "-"), (0.95, "--"), (1.02, "-.")]:
    distance = 6 * np.abs(1 - 2 * other_rate) ** steps
    ax.plot(steps, distance, style, linewidth=2, label=f"rate {other_rate}")
ax.set(
    xlabel="step",
    ylabel="distance from the minimum",
    yscale="log",
    title="Effect of the learning rate",
    xticks=range(0, 21, 5),
)
ax.legend()
plt.show()

# %%
# Train one neuron
# ----------------
#
# A sigmoid neuron computes :math:`\hat y = \sigma(x \cdot w + b)`. The squared-error
# loss over :math:`n` samples is
#
# .. math:: C = \frac{1}{2n} \sum_i (\hat y_i - y_i)^2.
#
# The chain rule, with :math:`\sigma' = \sigma (1 - \sigma)`, gives the gradient
#
# .. math::
#
#    \frac{\partial C}{\partial w} = \frac{1}{n} \sum_i
#    (\hat y_i - y_i)\, \hat y_i (1 - \hat y_i)\, x_i.
#
# The derivative with respect to :math:`b` is the same sum without the factor
# :math:`x_i`. We classify the tumors of the breast cancer dataset as malignant or
# benign.

X, y = load_breast_cancer(return_X_y=True)
X = StandardScaler().fit_transform(X)
n, n_inputs = X.shape

# %%
# ``fit`` draws the initial weights of sigmoid neurons from
# ``RandomState(random_state)``, uniformly within
# :math:`\pm\sqrt{2 / (n_\text{in} + n_\text{out})}`. We draw the same weights. The
# initial bias is chosen so that the output for an average input equals the fraction of
# benign tumors.

rng = np.random.RandomState(0)
bound = np.sqrt(2.0 / (n_inputs + 1))
w = rng.uniform(-bound, bound, n_inputs)
b = np.log(y.mean() / (1 - y.mean()))

rate, n_epochs = 0.5, 300
losses = []
for _ in range(n_epochs):
    y_hat = 1 / (1 + np.exp(-(X @ w + b)))
    losses.append(((y_hat - y) ** 2).sum() / (2 * n))
    delta = (y_hat - y) * y_hat * (1 - y_hat)
    w -= rate * X.T @ delta / n
    b -= rate * delta.sum() / n

# %%
# Compare with BackpropClassifier
# -------------------------------
#
# The following parameters reproduce the loop above: no hidden layer, gradient descent
# without momentum, all samples in one batch and no penalty. The inputs are already
# standardized, so we set ``standardize=False``. Each call to
# :meth:`~skbackprop.BackpropClassifier.partial_fit` trains for one epoch.

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

np.testing.assert_allclose(net.loss_curve_, losses, rtol=1e-10)
np.testing.assert_allclose(net.coefs_[0][:, 0], w, rtol=1e-8)
np.testing.assert_allclose(net.intercepts_[0][0], b, rtol=1e-8)

print("epoch   loss in NumPy   loss of the estimator")
for epoch in [1, 10, 100, 300]:
    print(f"{epoch:5d} {losses[epoch - 1]:.12f}  {net.loss_curve_[epoch - 1]:.12f}")
difference = np.abs(net.coefs_[0][:, 0] - w).max()
print(f"maximum difference of the weights: {difference:.1e}")
print(f"accuracy on the training data:     {net.score(X, y):.3f}")

# %%
# The two loss curves coincide.

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
epochs = np.arange(1, n_epochs + 1)
ax.plot(
    epochs,
    net.loss_curve_,
    "tab:orange",
    linewidth=6,
    alpha=0.5,
    label="BackpropClassifier",
)
ax.plot(epochs, losses, color="tab:blue", linewidth=1.5, label="NumPy")
ax.set(xlabel="epoch", ylabel="squared-error loss", yscale="log", title="Loss curve")
ax.legend()
plt.show()
