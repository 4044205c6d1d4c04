"""
DataFrames with categories and missing values
=============================================

This example trains :class:`~skbackprop.BackpropClassifier` on a pandas DataFrame with
numeric columns, categorical columns and missing values. First, the classifier
preprocesses the DataFrame internally. Next, a
:class:`~sklearn.compose.ColumnTransformer` preprocesses the DataFrame in a pipeline,
and a grid search selects the network. Finally, ``partial_fit`` trains on a CSV file in
chunks. For all options, see :doc:`/guide/columns`.
"""

# %%
# A dataset with mixed data types
# -------------------------------
#
# The breast cancer dataset contains measurements of malignant and benign tumors. We
# add two categorical columns. The first column is the size of the tumor as a string.
# The second column is a hospital that does not depend on the label. We then remove 5%
# of the values at random.

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
# Internal preprocessing
# ----------------------
#
# Convert the string columns to dtype "category". The classifier then one-hot encodes
# the categories, imputes missing numbers with indicators, and standardizes the numeric
# columns.

category_dtypes = {"size": "category", "hospital": "category"}
clf = BackpropClassifier(random_state=0)
clf.fit(X_train.astype(category_dtypes), y_train)
score = clf.score(X_test.astype(category_dtypes), y_test)
print(f"test accuracy with internal preprocessing: {score:.3f}")

# %%
# Custom preprocessing in a pipeline
# ----------------------------------
#
# This preprocessor imputes missing numeric values with the median and scales the
# numeric columns. The preprocessor also one-hot encodes the categorical columns, with a
# separate category for missing values. Categories that do not occur in the training
# data are ignored.


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
# Grid search
# -----------
#
# The grid varies the hidden layers, the activation and the solver. A network with
# several hidden layers can use a different activation for each layer.

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
shown = results[[*columns, "mean_test_score", "std_test_score"]]
print(shown.round(3).to_string())

# %%
# The plot shows the mean and the standard deviation of the accuracy over the folds. The
# dataset is small, so the standard deviation exceeds the differences between the
# networks.

# sphinx_gallery_thumbnail_number = 1
figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
labels = [
    f"{sizes} {activation if isinstance(activation, str) else ', '.join(activation)}"
    for sizes, activation in results[columns[:2]].itertuples(index=False)
]
positions = np.arange(len(results))[::-1]
for solver, color in [("adam", "tab:blue"), ("lbfgs", "tab:orange")]:
    rows = results["solver"] == solver
    ax.errorbar(
        results.loc[rows, "mean_test_score"],
        positions[rows],
        xerr=results.loc[rows, "std_test_score"],
        fmt="o",
        color=color,
        capsize=3,
        label=solver,
    )
ax.set_yticks(positions, labels)
ax.set(xlabel="accuracy (5 folds)", title="Grid search")
ax.legend(title="solver", loc="lower right")
plt.show()

# %%
# We evaluate the best network on the test set and by cross-validation on all rows.

scores = cross_val_score(search.best_estimator_, X, y, cv=5)
print(f"test accuracy of the best network: {search.score(X_test, y_test):.3f}")
print(f"5-fold cross-validation, all rows: {scores.mean():.3f} +- {scores.std():.3f}")

# %%
# Incremental learning from a CSV file
# ------------------------------------
#
# If a dataset does not fit into memory, read the file in chunks. We fit the
# preprocessor to the first chunk and call ``partial_fit`` on each chunk, for several
# passes over the file. Pass the full list of classes to the first call.

classes = np.unique(y_train)
preprocessor = make_preprocessor()
net = BackpropClassifier(
    (30,), batch_size=20, alpha=0.01, learning_rate_init=0.003, random_state=0
)
accuracies = []

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "tumors.csv"
    X_train.assign(label=y_train).to_csv(path, index=False)
    first = pd.read_csv(path, nrows=100)
    preprocessor.fit(first.drop(columns="label"))
    prepared_test = preprocessor.transform(X_test)
    for _ in range(15):
        for chunk in pd.read_csv(path, chunksize=100):
            labels = chunk.pop("label")
            net.partial_fit(preprocessor.transform(chunk), labels, classes=classes)
        accuracies.append(net.score(prepared_test, y_test))

print(f"{len(net.history_)} chunks in {len(accuracies)} passes over the file")

# %%
# The plot shows the test accuracy after each pass over the CSV file.

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
ax.plot(range(1, len(accuracies) + 1), accuracies, "o-")
ax.set(xlabel="passes over the file", ylabel="test accuracy")
ax.set_title("Incremental learning")
plt.show()
