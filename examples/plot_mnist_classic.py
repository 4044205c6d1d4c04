r"""
The classic network for MNIST
=============================

Chapter 1 of Nielsen's *Neural Networks and Deep Learning* (2015) reads handwritten
digits with a network of 784 inputs, 30 hidden sigmoid neurons and 10 outputs, the
quadratic cost, and plain gradient descent in mini-batches of ten at the rate
:math:`\eta = 3`. It gets some 95 % of the test digits right within 30 epochs. This
example trains it, then 100 hidden neurons, and shows how the quadratic cost can
lose whole digits where the log-loss does not.

Run it with the path of an ``mnist.npz`` (``X_train``, ``y_train``, ``X_test``,
``y_test``; also spelled in small letters), or without a path to fetch MNIST from
OpenML. Where that cannot be reached, or with ``--digits``, it takes the 8 x 8 digits
that come with scikit-learn, which are learned in seconds but are another task.
Thirty epochs of all five networks on MNIST take a few minutes.
"""

# %%
# The data
# --------
#
# Pixels become float32 numbers from 0 to 1; the networks compute in float32 as well.

import argparse
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import fetch_openml, load_digits
from sklearn.model_selection import train_test_split

from skbackprop import BackpropClassifier, WeightsDisplay

parser = argparse.ArgumentParser(description="The classic network for MNIST.")
parser.add_argument("path", nargs="?", help="a local mnist.npz")
parser.add_argument("--data", metavar="PATH", help="the same")
parser.add_argument("--digits", action="store_true", help="use scikit-learn's digits")
parser.add_argument("--epochs", type=int, default=30, help="default: 30")
parser.add_argument("--subset", type=int, metavar="N", help="use N training images")
options = parser.parse_args()


def load_npz(path):
    """Return the arrays of an ``mnist.npz``, training data first."""
    with np.load(path) as file:
        arrays = {name.lower(): file[name] for name in file.files}
    X, X_test = (
        arrays[name].reshape(len(arrays[name]), -1) for name in ("x_train", "x_test")
    )
    return X, arrays["y_train"], X_test, arrays["y_test"]


def load_small_digits():
    """Return scikit-learn's digits, scaled to 0..255 as the pixels of MNIST."""
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(
        X * (255 / 16), y, test_size=360, stratify=y, random_state=0
    )
    return X, y, X_test, y_test


def load_data():
    """Return the name of the data, and the arrays."""
    path = options.data or options.path
    if options.digits:
        return "scikit-learn's digits", load_small_digits()
    if path:
        return "MNIST", load_npz(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns before it tries again
            X, y = fetch_openml(
                "mnist_784", version=1, return_X_y=True, as_frame=False, n_retries=1
            )
    except OSError as error:
        print(f"MNIST cannot be fetched ({error}).")
        print("Instead, scikit-learn's 8 x 8 digits: the figures are not MNIST's.")
        return "scikit-learn's digits", load_small_digits()
    return "MNIST", (X[:60000], y[:60000], X[60000:], y[60000:])


data_name, (X_train, y_train, X_test, y_test) = load_data()
X_train, X_test = (X.astype(np.float32) / 255 for X in (X_train, X_test))
y_train, y_test = y_train.astype(int), y_test.astype(int)
if options.subset:
    X_train, y_train = X_train[: options.subset], y_train[: options.subset]

classes = np.arange(10)
print(f"{data_name}: {X_train.shape} for training, {X_test.shape} for the test")

# %%
# One epoch at a time
# -------------------
#
# Each call of ``partial_fit`` is one epoch, and K calls give the same network as
# ``fit`` with ``max_iter=K``. In between, the test digits are read, and digits of
# which not one in ten is recognised are named as lost.


def recall(predicted):
    """Return which share of the test images of each digit is recognised."""
    return np.array([np.mean(predicted[y_test == k] == k) for k in classes])


def train(title, net):
    """Train epoch by epoch; return the accuracies, and the recall at the end."""
    print(f"\n{title}")
    accuracies = []
    for epoch in range(1, options.epochs + 1):
        net.partial_fit(X_train, y_train, classes=classes)
        predicted = net.predict(X_test)
        accuracies.append(np.mean(predicted == y_test))
        shares = recall(predicted)
        lost = ", ".join(str(k) for k in classes[shares < 0.1])
        print(
            f"  epoch {epoch:2d}: {accuracies[-1]:.4f}" + (lost and f"  lost: {lost}"),
            flush=True,
        )
    best = int(np.argmax(accuracies))
    print(f"  best {accuracies[best]:.4f} in epoch {best + 1}")
    return accuracies, shares


# %%
# [784, 30, 10]
# -------------
#
# The network of chapter 1. ``momentum=0`` is plain descent, and ``alpha=0`` leaves
# out the penalty. The pixels are taken as they are, from 0 to 1. The weights start
# small, as Glorot and Bengio (2010) advise, where the book draws them from the normal
# distribution.

plain = {
    "activation": "sigmoid",
    "solver": "sgd",
    "momentum": 0,
    "batch_size": 10,
    "standardize": False,
    "random_state": 0,
}
quadratic = {"alpha": 0, "learning_rate_init": 3.0, **plain}

curves = {}
net = BackpropClassifier(hidden_layer_sizes=(30,), **quadratic)
curves["30 hidden, quadratic"], _ = train("30 hidden, quadratic cost, eta 3", net)

# %%
# What each of the 30 looks for, an image for each: red are weights above zero, blue
# below.

figure, ax = plt.subplots(figsize=(6, 5), layout="constrained")
WeightsDisplay.from_estimator(net, ax=ax)
ax.set_title("Weights of the 30 hidden neurons")
plt.show()

# %%
# 100 hidden neurons
# ------------------
#
# More neurons read more digits. The log-loss on sigmoid outputs wants a smaller rate,
# because its error :math:`\delta = a - y` is not damped by the slope of the sigmoid.
# The book's penalty :math:`\lambda = 5`, spread over 50 000 images, is
# ``alpha = 5 * 10 / 50000`` here, where it is divided by the size of a batch.

log_loss = {
    "loss": "log_loss",
    "output_activation": "sigmoid",
    "alpha": 0.001,
    "learning_rate_init": 0.2,
    **plain,
}

net = BackpropClassifier(hidden_layer_sizes=(100,), **quadratic)
curves["100 hidden, quadratic"], _ = train("100 hidden, quadratic cost, eta 3", net)

net = BackpropClassifier(hidden_layer_sizes=(100,), **log_loss)
curves["100 hidden, log-loss"], _ = train("100 hidden, log-loss, eta 0.2", net)

# %%
# Starting saturated
# ------------------
#
# Now start as chapter 1 does, with every weight and bias drawn from the standard
# normal distribution. With hundreds of them to a neuron the weighted inputs are
# large, and sigmoids begin near 0 or 1, where their slope is almost nothing. The
# quadratic cost multiplies the error of an output by this slope: an output that is
# wrong, and sure of it, hardly learns, and its digit is not read. The log-loss
# cancels the slope, and every output recovers.
#
# Six such starts on MNIST lost from one to five digits each. Two had them all back
# after eleven epochs; the other four still missed one or two after thirty. This is
# one of the four: its accuracy climbs a stair for each digit it wins back. (It loses
# some of the small digits as well, though with 64 pixels it starts less saturated.)
#
# ``coefs_`` and ``intercepts_`` are the network's own arrays: to write into them is
# to set its weights. A first batch of ten makes the network.


def start_normal(net):
    net.partial_fit(X_train[:10], y_train[:10], classes=classes)
    rng = np.random.default_rng(2)
    for parameters in (*net.coefs_, *net.intercepts_):
        parameters[...] = rng.standard_normal(parameters.shape)
    return net


recalls = {}
for name, settings in [("quadratic", quadratic), ("log-loss", log_loss)]:
    net = start_normal(BackpropClassifier(hidden_layer_sizes=(100,), **settings))
    title = f"100 hidden, {name}, normal start"
    curves[title], recalls[name] = train(title, net)

print("\nshare of each digit recognised, after a normal start")
print(f"{'digit':10}" + "".join(f"{k:6d}" for k in classes))
for name, shares in recalls.items():
    print(f"{name:10}" + "".join(f"{share:6.2f}" for share in shares))

# %%
# All of it
# ---------

fig, (left, middle, right) = plt.subplots(1, 3, figsize=(15, 4.8), layout="constrained")

styles = ["-", "-", "-", "--", "--"]
colors = ["tab:green", "tab:blue", "tab:orange", "tab:blue", "tab:orange"]
epochs = np.arange(1, options.epochs + 1)
for ax in (left, middle):
    for (name, accuracies), style, color in zip(
        curves.items(), styles, colors, strict=True
    ):
        ax.plot(epochs, accuracies, style, color=color, linewidth=2, label=name)
    ax.axhline(0.95, color="0.6", linestyle=":")
    ax.set(xlabel="epoch", ylabel="test accuracy")
left.set_title(data_name)
left.legend(loc="lower right")
middle.set(title="The same, those above 0.92", ylim=(0.92, 0.99))
middle.text(epochs[-1], 0.9495, "95 %", ha="right", va="top", color="0.4")

for shift, (name, color) in zip(
    [-0.2, 0.2], [("quadratic", "tab:blue"), ("log-loss", "tab:orange")], strict=True
):
    bars = right.bar(classes + shift, recalls[name], 0.4, color=color, label=name)
    lost = ["lost" if recall < 0.1 else "" for recall in recalls[name]]
    right.bar_label(bars, lost, rotation=90, padding=3, color=color)
right.set(
    xlabel="digit",
    ylabel="share recognised",
    title="100 hidden, normal start",
    xticks=classes,
    ylim=(0, 1.02),
)
right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)
plt.show()
