"""
Numbers, categories and missing values
======================================

Tables are rarely pure numbers. Here :class:`~skbackprop.BackpropClassifier` takes a
pandas DataFrame with numeric and nominal columns and with gaps as it is. Then the
same frame goes through a :class:`~sklearn.compose.ColumnTransformer` of our own, and
a grid search chooses the network.
Afterwards the same table is learned from a CSV file, a chunk at a time.
"""

# %%
# A mixed table
# -------------
#
# Measurements of tumours, malignant or benign, from scikit-learn's breast cancer
# data. Two nominal columns are made up: the size as a word, and a hospital that
# has no bearing on the label. One value in twenty is missing.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skbackprop import BackpropClassifier

rng = np.random.default_rng(0)
bunch = load_breast_cancer(as_frame=True)
X = bunch.data.filter(like="mean ").drop(columns=["mean perimeter", "mean area"])
size = pd.cut(
    X.pop("mean radius"), [0, 12, 15, 99], labels=["small", "medium", "large"]
)
X["size"] = size.astype(object)
X["hospital"] = rng.choice(["north", "south", "west"], len(X)).astype(object)
X = X.mask(rng.random(X.shape) < 0.05)
y = pd.Series(bunch.target_names[bunch.target], name="label")

print(X[["mean texture", "mean symmetry", "size", "hospital"]].head(4))
print(f"{len(X)} rows, {X.isna().sum().sum()} missing values, labels {sorted(set(y))}")

X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

# %%
# The frame as it is
# ------------------
#
# Columns of words become categories; everything else is done inside: words are
# one-hot encoded, gaps filled and marked, numbers scaled.

words = ["size", "hospital"]
as_they_come = BackpropClassifier(random_state=0)
as_they_come.fit(X_train.astype(dict.fromkeys(words, "category")), y_train)
score = as_they_come.score(X_test.astype(dict.fromkeys(words, "category")), y_test)
print(f"test accuracy, the frame as it is: {score:.3f}")

# %%
# Preprocessing of your own, in one pipeline
# ------------------------------------------
#
# Gaps in numbers are filled with the median, and the numbers scaled; nominal
# columns become one column for each word, a missing word being one more. A word
# never met before is ignored.


def make_preprocessor():
    return make_column_transformer(
        (
            make_pipeline(SimpleImputer(strategy="median"), StandardScaler()),
            make_column_selector(dtype_include="number"),
        ),
        (
            OneHotEncoder(handle_unknown="ignore", sparse_output=False),
            make_column_selector(dtype_exclude="number"),
        ),
    )


model = make_pipeline(
    make_preprocessor(),
    BackpropClassifier(
        alpha=1.0, learning_rate_init=0.01, tol=1e-3, max_iter=500, random_state=0
    ),
)

# %%
# Which network?
# --------------
#
# The grid varies layers, activation and solver. With several hidden layers each may
# have an activation of its own.

name = "backpropclassifier__"
grid = [
    {
        name + "hidden_layer_sizes": [(10,), (30,)],
        name + "activation": ["relu", "tanh"],
        name + "solver": ["adam", "lbfgs"],
    },
    {
        name + "hidden_layer_sizes": [(30, 10)],
        name + "activation": ["relu", ("tanh", "relu")],
        name + "solver": ["adam", "lbfgs"],
    },
]
search = GridSearchCV(model, grid, cv=5, n_jobs=2)
search.fit(X_train, y_train)

results = pd.DataFrame(search.cv_results_).rename(
    columns=lambda column: column.removeprefix("param_" + name)
)
results = results.sort_values("rank_test_score", kind="stable", ignore_index=True)
columns = ["hidden_layer_sizes", "activation", "solver"]
shown = results[[*columns, "mean_test_score", "std_test_score", "mean_fit_time"]]
print(shown.round(3).to_string())

# %%
# On a table of this size the deviation between folds is wider than the differences
# between networks. The best of them, on data that the search has not seen, and
# cross-validated on all rows:

folds = cross_val_score(search.best_estimator_, X, y, cv=5)
print(f"test accuracy of the best: {search.score(X_test, y_test):.3f}")
print(f"five folds of all rows:    {folds.mean():.3f} +- {folds.std():.3f}")

# %%
# From a file, a chunk at a time
# ------------------------------
#
# A table too large for the memory is read in chunks. The preprocessor is fitted to
# the first chunk; then ``partial_fit`` takes one step after another through each of
# them, for several passes over the file. The first call must name all classes.

classes = np.unique(y_train)
preprocessor = make_preprocessor()
net = BackpropClassifier(
    (30,), batch_size=20, alpha=0.01, learning_rate_init=0.003, random_state=0
)
accuracies = []

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "tumours.csv"
    X_train.assign(label=y_train).to_csv(path, index=False)
    first = pd.read_csv(path, nrows=100)
    preprocessor.fit(first.drop(columns="label"))
    prepared_test = preprocessor.transform(X_test)
    for _ in range(15):
        for chunk in pd.read_csv(path, chunksize=100):
            labels = chunk.pop("label")
            net.partial_fit(preprocessor.transform(chunk), labels, classes=classes)
        accuracies.append(net.score(prepared_test, y_test))

print(f"{len(net.history_)} chunks learned in {len(accuracies)} passes over the file")
for i in [1, 2, 5, 10, 15]:
    print(f"test accuracy after pass {i:2d}: {accuracies[i - 1]:.3f}")

# %%
# Both in pictures
# ----------------

fig, (left, right) = plt.subplots(
    1, 2, figsize=(12, 4.5), layout="constrained", width_ratios=[3, 2]
)
labels = [
    f"{sizes} {activation if isinstance(activation, str) else ', '.join(activation)}"
    f" {solver}"
    for sizes, activation, solver in results[columns].itertuples(index=False)
]
positions = np.arange(len(results))[::-1]
for solver, color in [("adam", "tab:blue"), ("lbfgs", "tab:orange")]:
    rows = results["solver"] == solver
    left.errorbar(
        results.loc[rows, "mean_test_score"],
        positions[rows],
        xerr=results.loc[rows, "std_test_score"],
        fmt="o",
        color=color,
        capsize=3,
        label=solver,
    )
left.set_yticks(positions, labels)
left.set(xlabel="accuracy (mean and deviation of 5 folds)", title="Grid search")
left.legend(title="solver", loc="center left", bbox_to_anchor=(1, 0.5))

right.plot(range(1, len(accuracies) + 1), accuracies, "o-")
right.set(xlabel="passes over the file", ylabel="test accuracy", title="CSV in chunks")
plt.show()
