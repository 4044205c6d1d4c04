"""
A grid search that shows how far it is
======================================

A grid search over networks may take its time. Since scikit-learn 1.9 a search tells its
callbacks what it is doing, and ``ProgressBar`` draws bars: for the candidates, for the
steps of each pipeline, and for the epochs of each network. (It needs the package
``rich``.)
"""

# %%
# A pipeline
# ----------

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
# Bars down to the epochs
# -----------------------
#
# Two candidates on two folds, in two processes, and the best of them on all rows.
# ``max_propagation_depth=None`` passes the bars on to the innermost. In a terminal they
# move; what stands here is how they end. (That ``PCA``, which has no epochs, takes no
# callbacks would be a warning in each fit, and is not wanted.)

if not rich.get_console().is_terminal:
    rich.reconfigure(width=100)  # on a page there is room

warnings.filterwarnings("ignore", "The estimator PCA does not support callbacks")
search = GridSearchCV(pipeline, {"network__alpha": [0.01, 1.0]}, cv=2, n_jobs=2)
search.set_callbacks(ProgressBar(max_propagation_depth=None))
search.fit(X_train, y_train)
print(search.best_params_)

# %%
# Fewer bars for a larger search
# ------------------------------
#
# With a depth of 0 there are only those of the search itself.

grid = {
    "pca__n_components": [5, 10, 20, 40],
    "network__learning_rate_init": [0.0003, 0.001, 0.003, 0.01, 0.03],
}
search = GridSearchCV(pipeline, grid, cv=3, n_jobs=2)
search.set_callbacks(ProgressBar(max_propagation_depth=0))
search.fit(X_train, y_train)
print(search.best_params_)
print(f"folds {search.best_score_:.3f}, test {search.score(X_test, y_test):.3f}")

# %%
# What it found
# -------------
#
# With the smallest rates forty epochs are too few, whatever the PCA leaves; at the
# largest, components beyond 20 bring nothing more.

results = pd.DataFrame(search.cv_results_)
table = results.pivot(
    index="param_pca__n_components",
    columns="param_network__learning_rate_init",
    values="mean_test_score",
)
figure, ax = plt.subplots(figsize=(6.5, 4.5), layout="constrained")
image = ax.imshow(table, cmap="viridis")
for (row, column), score in np.ndenumerate(table):
    color = "white" if score < 0.8 else "black"
    ax.text(column, row, f"{score:.3f}", ha="center", va="center", color=color)
ax.set_xticks(range(table.shape[1]), table.columns)
ax.set_yticks(range(table.shape[0]), table.index)
ax.set(xlabel="learning_rate_init", ylabel="components of the PCA")
ax.set_title("Accuracy, mean of 3 folds")
figure.colorbar(image)
plt.show()
