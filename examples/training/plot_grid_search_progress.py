"""
Progress bars for a grid search
===============================

A grid search over neural networks can take a long time. This example displays its
progress with :class:`~sklearn.callback.ProgressBar`, a callback of scikit-learn. The
callback draws bars for the candidates, for the steps of each pipeline and for the
epochs of each network. ``ProgressBar`` requires scikit-learn 1.9 or later and the
package ``rich``. For other callbacks, see :doc:`/guide/callbacks`.
"""

# %%
# Data and pipeline
# -----------------
#
# The pipeline reduces the images of the digits dataset to 20 principal components and
# trains a network for 40 epochs.

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import rich
from sklearn.callback import ProgressBar
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline

from skbackprop import BackpropClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.5, stratify=y, random_state=0
)
network = BackpropClassifier((40,), learning_rate="cosine", max_iter=40, random_state=0)
pipeline = Pipeline([("pca", PCA(20, random_state=0)), ("network", network)])

# %%
# Progress of each epoch
# ----------------------
#
# The search evaluates two candidates on two folds in two processes, and then refits the
# best candidate. ``max_propagation_depth=None`` displays a bar at every level, down to
# the epochs. In a terminal, the bars are updated during the search. This page shows
# their final state.
#
# ``PCA`` does not support callbacks and warns in each fit, so we ignore this warning.

if not rich.get_console().is_terminal:
    rich.reconfigure(width=100)  # the page is wider than the default of 80 characters

warnings.filterwarnings("ignore", "The estimator PCA does not support callbacks")
search = GridSearchCV(pipeline, {"network__alpha": [0.01, 1.0]}, cv=2, n_jobs=2)
search.set_callbacks(ProgressBar(max_propagation_depth=None))
search.fit(X_train, y_train)
print(search.best_params_)

# %%
# Progress of the search only
# ---------------------------
#
# For a larger search, set ``max_propagation_depth=0`` to display only the bars of the
# search itself.

grid = {
    "pca__n_components": [5, 10, 20, 40],
    "network__learning_rate_init": [0.001, 0.003, 0.01, 0.03, 0.1],
}
search = GridSearchCV(pipeline, grid, cv=3, n_jobs=2)
search.set_callbacks(ProgressBar(max_propagation_depth=0))
search.fit(X_train, y_train)
print(search.best_params_)
print(f"cross-validated accuracy: {search.best_score_:.3f}")
print(f"test accuracy: {search.score(X_test, y_test):.3f}")

# %%
# Results of the search
# ---------------------
#
# With the smallest learning rate, 40 epochs are too few for any number of components.
# With a learning rate of 0.01 or more, 40 components do not improve the accuracy of 20
# components.

results = pd.DataFrame(search.cv_results_)
table = results.pivot(
    index="param_pca__n_components",
    columns="param_network__learning_rate_init",
    values="mean_test_score",
)
figure, ax = plt.subplots(figsize=(6.5, 4.5), layout="constrained")
ax.imshow(table, cmap="viridis")
for (row, column), score in np.ndenumerate(table):
    color = "white" if score < 0.7 else "black"
    ax.text(column, row, f"{score:.3f}", ha="center", va="center", color=color)
ax.set_xticks(range(table.shape[1]), table.columns)
ax.set_yticks(range(table.shape[0]), table.index)
ax.set(xlabel="learning_rate_init", ylabel="n_components of PCA")
ax.set_title("Mean accuracy over 3 folds")
plt.show()
