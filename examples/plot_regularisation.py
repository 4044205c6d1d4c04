"""
Regularisation and dropout
==========================

A large network learns a small, noisy table by heart: its training loss goes on falling
while the loss on new samples rises. Here the same network is trained with each of the
means against it: penalties on the weights, a limit to their length, dropout, and early
stopping.
"""

# %%
# Few samples, much noise
# -----------------------
#
# Two half moons that overlap. 100 samples are trained on, 300 watch, and 5000 tell in
# the end what it was worth. (Early stopping decides by the 300, which is an advantage:
# the other networks learn nothing from them.)

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
# Six networks
# ------------
#
# All have 2 x 100 hidden units and start with the same weights. Penalties are divided
# by the number of rows of a batch, here 25.
# Validation data passed to ``fit`` only watch, unless ``early_stopping=True``.

means = {
    "nothing": {},
    "L2: alpha=0.3": {"alpha": 0.3},
    "L1: l1_alpha=0.05": {"l1_alpha": 0.05},
    "max_norm=0.7": {"max_norm": 0.7},
    "dropout=0.6": {"dropout": 0.6},
    "early stopping": {"early_stopping": True},
}
networks = {}
for name, settings in means.items():
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
        warnings.simplefilter("ignore", ConvergenceWarning)  # 300 epochs are wanted
        networks[name] = net.fit(X_train, y_train, X_val=X_val, y_val=y_val)

print(f"{'':18}epochs  loss: trained on  test    accuracy: trained on  test")
for name, net in networks.items():
    print(
        f"{name:18}{net.n_iter_:6d}"
        f"{log_loss(y_train, net.predict_proba(X_train)):18.2f}"
        f"{log_loss(y_test, net.predict_proba(X_test)):6.2f}"
        f"{net.score(X_train, y_train):24.2f}{net.score(X_test, y_test):6.3f}"
    )

# %%
# Loss by loss
# ------------
#
# With nothing against it, the loss on new samples falls for 35 epochs, then rises
# to more than it was at the start. Early stopping ends there and puts back the best
# weights; a penalty or a limit keeps the loss down to the end; dropout puts the rise
# off. With penalties the training loss lies above the other, for it contains them; with
# dropout it is that of a network with units left out.

figure, axes = plt.subplots(2, 3, figsize=(11, 6.4), layout="constrained")
for ax, (name, net) in zip(axes.flat, networks.items(), strict=True):
    LossCurveDisplay.from_estimator(net, ax=ax)
    ax.set(title=name, xlim=(-10, 310), ylim=(0, 1.25))
    ax.legend(loc="upper right")
    ax.label_outer()
plt.show()

# %%
# Region by region
# ----------------
#
# Colour is the probability of a class, the black line where it is one half. What was
# learned by heart is the bay around a few samples; where regions are pale, the network
# admits that it cannot know. The accuracy gains a little by that, the loss much.

colors = ["tab:blue", "tab:orange"]
regions = LinearSegmentedColormap.from_list("regions", [colors[0], "w", colors[1]])
x, y = np.linspace(-2.2, 3.2, 200), np.linspace(-1.8, 2.3, 200)
plane = np.array(np.meshgrid(x, y)).reshape(2, -1).T

figure, axes = plt.subplots(2, 3, figsize=(11, 6), layout="constrained")
for ax, (name, net) in zip(axes.flat, networks.items(), strict=True):
    picture = net.predict_proba(plane)[:, 1].reshape(200, 200)
    ax.pcolormesh(x, y, picture, cmap=regions, vmin=0, vmax=1, alpha=0.7)
    ax.contour(x, y, picture, [0.5], colors="black", linewidths=1.5)
    for label in (0, 1):
        points = X_train[y_train == label]
        ax.scatter(*points.T, s=16, color=colors[label], edgecolor="w", linewidth=0.5)
    ax.set(xticks=[], yticks=[], title=name)
plt.show()
