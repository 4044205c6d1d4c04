"""
Handwritten digits: comparison with MLPClassifier
=================================================

This example replaces :class:`~sklearn.neural_network.MLPClassifier` with
:class:`~skbackprop.BackpropClassifier` in a scikit-learn pipeline. Both classifiers
are trained and cross-validated on the same splits of the digits dataset. The example
compares their accuracy, their training time and their loss curves.
"""

# %%
# Data and pipelines
# ------------------
#
# The digits dataset contains 1797 images of 8 x 8 pixels. A quarter of the images is
# the test set.
#
# By default, ``BackpropClassifier`` standardizes its inputs and minimizes the
# squared-error loss. The second pipeline uses the setup of ``MLPClassifier`` instead:
# a :class:`~sklearn.preprocessing.StandardScaler` scales the inputs, and the network
# has ``standardize=False`` and ``loss="log_loss"``.

from statistics import median
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.metrics import ConfusionMatrixDisplay, classification_report
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skbackprop import BackpropClassifier, LossCurveDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.25, stratify=y, random_state=0
)

settings = {
    "hidden_layer_sizes": (100,),
    "learning_rate_init": 0.001,
    "max_iter": 400,
    "random_state": 0,
}
models = {
    "BackpropClassifier": make_pipeline(BackpropClassifier(**settings)),
    "  with log_loss": make_pipeline(
        StandardScaler(),
        BackpropClassifier(loss="log_loss", standardize=False, **settings),
    ),
    "MLPClassifier": make_pipeline(StandardScaler(), MLPClassifier(**settings)),
}

# %%
# Accuracy and training time
# --------------------------
#
# Each model is fitted five times, in alternation with the other models, and the table
# contains the median time. The number of BLAS threads is limited to one, because
# networks of this size do not benefit from multiple threads.

threads = threadpool_limits(limits=1, user_api="blas")
seconds = {name: [] for name in models}
for _ in range(5):
    for name, model in models.items():
        start = perf_counter()
        clone(model).fit(X_train, y_train)
        seconds[name].append(perf_counter() - start)
seconds = {name: median(times) for name, times in seconds.items()}

print(f"{'':20}  test     5-fold CV      epochs  fit [s]   vs MLP")
for name, model in models.items():
    model.fit(X_train, y_train)
    scores = cross_val_score(model, X, y, cv=5)
    ratio = seconds[name] / seconds["MLPClassifier"]
    print(
        f"{name:20} {model.score(X_test, y_test):.4f}"
        f"    {scores.mean():.4f} +- {scores.std():.4f}"
        f"{model[-1].n_iter_:8d}{seconds[name]:9.2f}{ratio:9.2f}"
    )

# %%
# With ``loss="log_loss"``, the training losses equal the losses of ``MLPClassifier`` in
# each epoch, up to rounding errors.

backprop, mlp = models["  with log_loss"][-1], models["MLPClassifier"][-1]
difference = np.abs(np.subtract(backprop.loss_curve_, mlp.loss_curve_)).max()
print(f"\nmaximum difference between the loss curves: {difference:.0e}")

# %%
# Classification report
# ---------------------

clf = models["BackpropClassifier"]
print()
print(classification_report(y_test, clf.predict(X_test), digits=3))

# %%
# Loss curves and confusion matrix
# --------------------------------
#
# :class:`~skbackprop.LossCurveDisplay` plots the attribute ``loss_curve_``, which
# contains the loss of each epoch. To plot another model, pass its losses.
#
# The values of different losses are not comparable. The outputs of an untrained network
# start at the class frequencies. The squared-error loss is then about 0.45, and the
# log-loss is about 2.3.

fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.8), layout="constrained")

for (name, model), style in zip(models.items(), ["-", "--", ":"], strict=True):
    name = name.replace("  with", "BackpropClassifier,")
    curve = LossCurveDisplay(loss=model[-1].loss_curve_, name=name)
    curve.plot(left, linestyle=style, linewidth=2)
left.set(yscale="log", title="Loss curves")

ConfusionMatrixDisplay.from_estimator(
    clf, X_test, y_test, ax=right, cmap="Blues", colorbar=False
)
right.set_title("BackpropClassifier, test set")
plt.show()

# %%
# The DataFrame ``history_`` contains one row per epoch with the loss, the learning rate
# and other columns.

print("last epochs in history_:")
print(clf[-1].history_[["loss", "learning_rate"]].tail(3))
