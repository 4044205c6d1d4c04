"""
Rare classes: weights and thresholds
====================================

Where one sample in twenty is of the class that matters, a network that never finds
one is right nineteen times in twenty. Two things move the balance: ``class_weight``,
before training, and the threshold of the decision, after it. This example draws what
each of them does to precision and recall.
"""

# %%
# One in twenty
# -------------

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
print(f"{y_train.mean():.1%} of {len(y_train)} samples are of the rare class")
print(f"accuracy of never saying so: {1 - y_test.mean():.3f}")

# %%
# Class weights
# -------------
#
# ``class_weight`` multiplies what the samples of a class count in the loss. With
# "balanced" both classes count alike in the sum; a dict sets any other price.

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
# The more a rare sample counts, the more of them are found, and the more of the others
# are taken for one. The accuracy falls; the balanced accuracy, the mean of the shares
# recognised of each class, rises. What the weights cost are honest probabilities:
# their mean should be the share of the rare class.

for name, net in networks.items():
    probability = net.predict_proba(X_test)[:, 1]
    print(
        f"class_weight {name:9} mean probability {probability.mean():.3f},"
        f" average precision {average_precision_score(y_test, probability):.3f}"
    )

# %%
# A threshold
# -----------
#
# Or leave the network as it is, and say "rare" from a lower probability on.
# ``TunedThresholdClassifierCV`` of scikit-learn finds by cross-validation which one
# gives the best balanced accuracy.

tuned = TunedThresholdClassifierCV(
    networks["none"], scoring="balanced_accuracy", cv=5, random_state=0
)
tuned.fit(X_train, y_train)
threshold = tuned.best_threshold_
print(header)
report(f"none, threshold {threshold:.3f}", tuned)

# %%
# In pictures
# -----------
#
# At the left, each curve goes through all thresholds, and the marks are where the
# networks decide. Weights lead to another place of much the same trade: no curve lies
# far above the others, and the threshold alone reaches what "balanced" does. At the
# right is the network without weights.

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
colors = ["tab:blue", "tab:orange", "tab:green"]
styles = ["-", "--", ":"]


def mark(net, marker, **settings):
    predicted = net.predict(X_test)
    place = recall_score(y_test, predicted), precision_score(y_test, predicted)
    left.plot(*place, marker, **settings)


for (name, net), color, style in zip(networks.items(), colors, styles, strict=True):
    probability = net.predict_proba(X_test)[:, 1]
    precision, recall, _ = precision_recall_curve(y_test, probability)
    left.plot(recall, precision, style, color=color, label=name)
    mark(net, "o", color=color, markersize=8)
mark(tuned, "k*", markersize=12, label="none, tuned threshold")
left.set(title="Precision and recall", xlabel="recall", ylabel="precision")
left.legend(title="class_weight", loc="lower left")

probability = networks["none"].predict_proba(X_test)[:, 1]
thresholds = np.linspace(0.01, 0.9, 90)
decisions = [probability >= t for t in thresholds]
for score, label, style in [
    (precision_score, "precision", "-"),
    (recall_score, "recall", "--"),
    (balanced_accuracy_score, "balanced accuracy", "-."),
]:
    scores = [score(y_test, decision) for decision in decisions]
    right.plot(thresholds, scores, style, label=label)
for value, label in [(0.5, "one half"), (threshold, "tuned")]:
    right.axvline(value, color="0.7", zorder=0)
    right.text(value, 1.01, label, ha="center", color="0.3")
right.set(xlabel="threshold", ylim=(0, 1.08), title="Thresholds, without weights")
right.legend(loc="lower right")
plt.show()
