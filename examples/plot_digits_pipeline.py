"""
Handwritten digits in a pipeline
================================

:class:`~skbackprop.BackpropClassifier` takes the place of
:class:`~sklearn.neural_network.MLPClassifier` in a scikit-learn pipeline: the
digits are learned, cross-validated and reported on with scikit-learn's own tools.
Both networks are trained side by side on the same splits, and their fits are timed
in turn.
"""

# %%
# Data and pipelines
# ------------------
#
# 1797 images of 8 x 8 pixels, a quarter of them kept for the test.
# ``BackpropClassifier`` scales its inputs itself, and descends the quadratic cost
# unless it is told otherwise. ``standardize=False`` leaves the scaling to a step of
# the pipeline, as ``MLPClassifier`` needs it, and ``loss="log_loss"`` makes it minimise
# what that minimises.

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
# Fit, cross-validate, time
# -------------------------
#
# Times on a busy machine vary. So the models take turns, each fit is repeated five
# times, and the median counts. Every repeat trains the same network anew. All have one
# thread for their linear algebra: with more, nets as small as these spend most of
# their time with one thread waiting for the other.

threads = threadpool_limits(limits=1, user_api="blas")
seconds = {name: [] for name in models}
for _ in range(5):
    for name, model in models.items():
        start = perf_counter()
        clone(model).fit(X_train, y_train)
        seconds[name].append(perf_counter() - start)
seconds = {name: median(times) for name, times in seconds.items()}

print(f"{'':20}  test     5-fold c.v.    epochs  fit [s]   x MLP")
for name, model in models.items():
    model.fit(X_train, y_train)
    folds = cross_val_score(model, X, y, cv=5)
    ratio = seconds[name] / seconds["MLPClassifier"]
    print(
        f"{name:20} {model.score(X_test, y_test):.4f}"
        f"    {folds.mean():.4f} +- {folds.std():.4f}"
        f"{model[-1].n_iter_:8d}{seconds[name]:9.2f}{ratio:9.2f}"
    )

# %%
# With ``log_loss`` the network is that of ``MLPClassifier``, epoch by epoch.

ours, theirs = models["  with log_loss"][-1], models["MLPClassifier"][-1]
difference = np.abs(np.subtract(ours.loss_curve_, theirs.loss_curve_)).max()
print(f"\nlargest difference between the losses, log_loss and MLP: {difference:.0e}")

# %%
# Digit by digit
# --------------

backprop = models["BackpropClassifier"]
print()
print(classification_report(y_test, backprop.predict(X_test), digits=3))

# %%
# What was learned, in pictures
# -----------------------------
#
# The loss of every epoch is in ``loss_curve_``, and with more columns in the
# DataFrame ``history_``. :class:`~skbackprop.LossCurveDisplay` draws it, that of
# another model as well if it is given the losses. The curves of different costs cannot
# be compared by their height: the quadratic cost of an untrained network, whose outputs
# start at the share of their class, is near 0.45, its log-loss near 2.3.

fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.8), layout="constrained")

for (name, model), style in zip(models.items(), ["-", "--", ":"], strict=True):
    name = name.replace("  with", "BackpropClassifier,")
    curve = LossCurveDisplay(loss=model[-1].loss_curve_, name=name)
    curve.plot(left, linestyle=style, linewidth=2)
left.set(yscale="log", title="Loss curves")

ConfusionMatrixDisplay.from_estimator(
    backprop, X_test, y_test, ax=right, cmap="Blues", colorbar=False
)
right.set_title("Test digits, BackpropClassifier")
plt.show()

# %%
print("The last epochs in history_:")
print(backprop[-1].history_[["loss", "learning_rate"]].tail(3))
