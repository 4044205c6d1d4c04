"""
Classify handwritten digits
===========================

This example trains :class:`~skbackprop.BackpropClassifier` on images of handwritten
digits and evaluates the classifier on a test set. Cross-validation compares the
classifier with a scikit-learn pipeline of a scaler and
:class:`~sklearn.neural_network.MLPClassifier`. The plots show the loss curve and the
confusion matrix.
"""

# %%
# Data and training
# -----------------
#
# The digits dataset contains 1797 images of 8 x 8 pixels. A quarter of the images is
# the test set. The classifier standardizes the pixels internally.

import matplotlib.pyplot as plt
import pandas as pd
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

clf = BackpropClassifier(random_state=0).fit(X_train, y_train)
print(f"accuracy on the training set: {clf.score(X_train, y_train):.3f}")
print(f"accuracy on the test set:     {clf.score(X_test, y_test):.3f}")

# %%
# The attribute ``history_`` is a DataFrame with one row per epoch.

print(clf.history_[["loss", "learning_rate"]].tail(3))

# %%
# Loss curve
# ----------
#
# :class:`~skbackprop.LossCurveDisplay` plots the losses of all epochs. The training
# stops after several epochs in which the loss decreases by less than ``tol``.

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
LossCurveDisplay.from_estimator(clf, ax=ax)
ax.set(yscale="log", title="Loss curve")
plt.show()

# %%
# Classification report
# ---------------------

predicted = clf.predict(X_test)
print(classification_report(y_test, predicted, digits=3))

# %%
# Confusion matrix
# ----------------
#
# Each row of the matrix contains the test images of one digit. Each column contains the
# images with the same prediction.

# sphinx_gallery_thumbnail_number = 2
figure, ax = plt.subplots(figsize=(5, 5), layout="constrained")
ConfusionMatrixDisplay.from_predictions(
    y_test, predicted, ax=ax, cmap="Blues", colorbar=False
)
ax.set_title("Confusion matrix of the test set")
plt.show()

# %%
# Cross-validation
# ----------------
#
# ``BackpropClassifier`` can be used in pipelines, cross-validation and searches, like
# each classifier of scikit-learn. A scaler is not necessary. In the pipeline with a
# :class:`~sklearn.preprocessing.StandardScaler`, ``standardize=False`` avoids scaling
# the inputs twice. In regression, keep ``standardize=True``, because it also scales the
# targets. The table contains the mean and the standard deviation of the accuracy over
# five folds.
#
# The folds are not shuffled. In this dataset, adjacent images are similar, so the
# accuracy is lower than on the random test set.

models = {
    "BackpropClassifier": BackpropClassifier(random_state=0),
    "scaler, BackpropClassifier": make_pipeline(
        StandardScaler(), BackpropClassifier(standardize=False, random_state=0)
    ),
    "scaler, MLPClassifier": make_pipeline(
        StandardScaler(), MLPClassifier(max_iter=400, random_state=0)
    ),
}
with threadpool_limits(limits=1):  # small networks do not benefit from more threads
    scores = pd.DataFrame(
        {name: cross_val_score(model, X, y, cv=5) for name, model in models.items()}
    )
print(scores.agg(["mean", "std"]).T.round(4))
