"""
Imbalanced classes: class weights and decision thresholds
=========================================================

If only 5% of the samples belong to a class, a classifier that never predicts this
class has an accuracy of 95%. This example compares two ways to find more samples of a
rare class. The parameter ``class_weight`` changes the training. The decision threshold
is adjusted after training. The plots show how both affect precision and recall. For
sample weights, see :doc:`/guide/class_weights`.
"""

# %%
# An imbalanced dataset
# ---------------------
#
# About 5% of the samples belong to the rare class.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_classification
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    precision_recall_curve,
    precision_score,
    recall_score,
)
from sklearn.model_selection import TunedThresholdClassifierCV, train_test_split

from skbackprop import BackpropClassifier

X, y = make_classification(
    8000,
    n_features=10,
    n_informative=5,
    n_clusters_per_class=2,
    weights=[0.95],
    flip_y=0.01,
    class_sep=0.6,
    random_state=3,
)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.5, stratify=y, random_state=0
)
print(f"{y_train.mean():.1%} of {len(y_train)} samples belong to the rare class")
print(f"accuracy if the rare class is never predicted: {1 - y_test.mean():.3f}")

# %%
# Class weights
# -------------
#
# ``class_weight`` multiplies the weight of each sample in the loss by the weight of its
# class. ``"balanced"`` gives both classes the same total weight. A dict maps each class
# to its weight.

weights = {"none": None, "1 : 5": {0: 1, 1: 5}, "balanced": "balanced"}
networks = {}
for name, class_weight in weights.items():
    net = BackpropClassifier(
        (30,),
        loss="log_loss",
        class_weight=class_weight,
        early_stopping=True,
        random_state=0,
    )
    networks[name] = net.fit(X_train, y_train)


def report(name, net):
    predicted = net.predict(X_test)
    print(
        f"{name:24}{net.score(X_test, y_test):8.3f}"
        f"{balanced_accuracy_score(y_test, predicted):10.3f}"
        f"{precision_score(y_test, predicted):11.3f}"
        f"{recall_score(y_test, predicted):8.3f}"
    )


header = f"{'':24}accuracy  balanced  precision  recall"
print(header)
for name, net in networks.items():
    report(f"class_weight {name}", net)

# %%
# A larger weight of the rare class increases the recall and decreases the precision.
# The accuracy decreases. The balanced accuracy, which is the mean recall over both
# classes, increases.
#
# Class weights also distort the predicted probabilities. Without weights, the mean
# probability is close to the fraction of the rare class.

for name, net in networks.items():
    probability = net.predict_proba(X_test)[:, 1]
    print(
        f"class_weight {name:9} mean probability {probability.mean():.3f},"
        f" average precision {average_precision_score(y_test, probability):.3f}"
    )

# %%
# Decision threshold
# ------------------
#
# Alternatively, train without class weights and predict the rare class at a lower
# probability. :class:`~sklearn.model_selection.TunedThresholdClassifierCV` selects the
# threshold with the best balanced accuracy by cross-validation.

tuned = TunedThresholdClassifierCV(
    networks["none"], scoring="balanced_accuracy", cv=5, random_state=0
)
tuned.fit(X_train, y_train)
threshold = tuned.best_threshold_
print(header)
report(f"none, threshold {threshold:.3f}", tuned)

# %%
# Precision-recall curves
# -----------------------
#
# Each curve shows the precision and recall of one network for all thresholds. The
# circles show the precision and recall at a threshold of 0.5. The three curves are
# similar, so class weights mainly select another point on the curve. The star shows the
# tuned threshold without class weights. Its precision and recall are similar to the
# values with ``class_weight="balanced"``.

# sphinx_gallery_thumbnail_number = 1
figure, ax = plt.subplots(figsize=(6.5, 4.8), layout="constrained")
colors = ["tab:blue", "tab:orange", "tab:green"]
styles = ["-", "--", ":"]


def plot_marker(net, marker, **kwargs):
    predicted = net.predict(X_test)
    recall = recall_score(y_test, predicted)
    precision = precision_score(y_test, predicted)
    ax.plot(recall, precision, marker, **kwargs)


for (name, net), color, style in zip(networks.items(), colors, styles, strict=True):
    probability = net.predict_proba(X_test)[:, 1]
    precision, recall, _ = precision_recall_curve(y_test, probability)
    ax.plot(recall, precision, style, color=color, label=name)
    plot_marker(net, "o", color=color, markersize=8)
plot_marker(tuned, "k*", markersize=12, label="none, tuned threshold")
ax.set(title="Precision and recall", xlabel="recall", ylabel="precision")
ax.legend(title="class_weight", loc="lower left")
plt.show()

# %%
# Scores at each threshold
# ------------------------
#
# The plot shows the scores of the network without class weights as a function of the
# threshold.

figure, ax = plt.subplots(figsize=(6.5, 4.8), layout="constrained")
probability = networks["none"].predict_proba(X_test)[:, 1]
thresholds = np.linspace(0.01, 0.9, 90)
decisions = [probability >= t for t in thresholds]
for score, label, style in [
    (precision_score, "precision", "-"),
    (recall_score, "recall", "--"),
    (balanced_accuracy_score, "balanced accuracy", "-."),
]:
    scores = [score(y_test, decision) for decision in decisions]
    ax.plot(thresholds, scores, style, label=label)
for value, label in [(0.5, "default"), (threshold, "tuned")]:
    ax.axvline(value, color="0.7", zorder=0)
    ax.text(value, 1.01, label, ha="center", color="0.3")
ax.set(xlabel="threshold", ylabel="score", ylim=(0, 1.08))
ax.set_title("Effect of the threshold, class_weight=None")
ax.legend(loc="lower right")
plt.show()
