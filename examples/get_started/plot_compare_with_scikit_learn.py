"""
Comparison with scikit-learn classifiers
========================================

This example compares :class:`~skbackprop.BackpropClassifier` and
:class:`~skbackprop.BackpropEnsembleClassifier` with two classifiers of scikit-learn. On
the digits dataset, ``BackpropClassifier`` replaces
:class:`~sklearn.neural_network.MLPClassifier`. On a DataFrame with categorical columns
and missing values, a single network and an ensemble of networks are compared with
:class:`~sklearn.ensemble.HistGradientBoostingClassifier`.
"""

# %%
# Measure the fit time
# --------------------
#
# Each model is fitted three times, in alternation with the other models. The function
# returns the median fit time of each model, relative to the first model. All models use
# one thread, because networks of this size do not benefit from more threads.

from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skbackprop import BackpropClassifier, BackpropEnsembleClassifier


def fit_and_measure(models, X, y):
    times = {name: [] for name in models}
    with threadpool_limits(limits=1):
        for _ in range(3):
            for name, model in models.items():
                start = perf_counter()
                model.fit(X, y)
                times[name].append(perf_counter() - start)
    medians = pd.DataFrame(times).median()
    return medians / medians.iloc[0]


# %%
# Replace MLPClassifier
# ---------------------
#
# By default, ``BackpropClassifier`` minimizes the squared-error loss, standardizes its
# inputs and selects the learning rate. The model ``same`` sets these parameters to the
# values of ``MLPClassifier`` instead. The third model has the default parameters and
# does not need a scaler.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.25, stratify=y, random_state=0
)

mlp = MLPClassifier(max_iter=400, random_state=0)
same = BackpropClassifier(
    loss="log_loss",
    standardize=False,
    learning_rate_init=0.001,
    max_iter=400,
    random_state=0,
)
models = {
    "MLPClassifier": make_pipeline(StandardScaler(), mlp),
    "BackpropClassifier, same parameters": make_pipeline(StandardScaler(), same),
    "BackpropClassifier, defaults": BackpropClassifier(random_state=0),
}
fit_times = fit_and_measure(models, X_train, y_train)
results = {
    name: {"accuracy": model.score(X_test, y_test), "fit time": fit_times[name]}
    for name, model in models.items()
}
print("digits dataset, fit time relative to the first model")
print(pd.DataFrame(results).T.to_string(float_format="{:.3f}".format))

# %%
# With the same parameters, both classifiers compute the same losses and the same
# weights, up to rounding errors.

loss_difference = np.abs(np.subtract(mlp.loss_curve_, same.loss_curve_)).max()
weight_difference = max(
    np.abs(ours - theirs).max()
    for ours, theirs in zip(same.coefs_, mlp.coefs_, strict=True)
)
print("\nsame parameters: maximum difference from MLPClassifier")
print(f"losses {loss_difference:.0e}, weights {weight_difference:.0e}")

# %%
# Use a DataFrame with mixed columns
# ----------------------------------
#
# The data describe imaginary customers. The probability that a customer cancels a
# contract depends on three numeric columns and on the category of the contract. The
# column "region" has no effect. A tenth of the incomes is missing.


def make_customers(n, rng):
    X = pd.DataFrame(
        {
            "age": rng.uniform(18, 80, n).round(),
            "income": rng.lognormal(8.0, 0.5, n).round(),
            "calls": rng.poisson(2.0, n),
            "contract": rng.choice(["monthly", "yearly", "prepaid"], n),
            "region": rng.choice(list("ABCDEFGH"), n),
        }
    )
    logit = (
        X["contract"].map({"monthly": 0.0, "yearly": -2.5, "prepaid": -1.0})
        + 0.8 * np.cos((X["age"] - 18) / 12)
        - 0.9 * np.log(X["income"] / 3000) * (X["contract"] != "prepaid")
        + 0.5 * X["calls"]
    )
    y = np.where(rng.random(n) < 1 / (1 + np.exp(-logit)), "canceled", "kept")
    X.loc[rng.random(n) < 0.1, "income"] = np.nan
    return X.astype({"contract": "category", "region": "category"}), y


X, y = make_customers(6000, np.random.default_rng(0))
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=1000, random_state=0
)
print()
print(X_train.head(4).to_string())

# %%
# All three models accept the DataFrame without preprocessing and use early stopping.
# The log-loss measures the quality of the predicted probabilities.
#
# The ensemble also has an out-of-fold score. To compute this score, each training row
# is predicted by the network that was not trained on this row. The score estimates the
# accuracy without a test set.

models = {
    "HistGradientBoostingClassifier": HistGradientBoostingClassifier(
        early_stopping=True, random_state=0
    ),
    "BackpropClassifier": BackpropClassifier(
        loss="log_loss", early_stopping=True, random_state=0
    ),
    "BackpropEnsembleClassifier": BackpropEnsembleClassifier(random_state=0),
}
fit_times = fit_and_measure(models, X_train, y_train)
results = {
    name: {
        "accuracy": model.score(X_test, y_test),
        "out-of-fold": getattr(model, "oof_score_", None),
        "log-loss": log_loss(y_test, model.predict_proba(X_test)),
        "fit time": fit_times[name],
    }
    for name, model in models.items()
}
print("\nmixed columns, fit time relative to the first model")
table = pd.DataFrame(results, dtype=float).T
print(table.to_string(float_format="{:.3f}".format, na_rep="-"))

# %%
# The networks have an advantage on this dataset, because the probability is a smooth
# function of the numeric columns. For a comparison on 28 datasets, see
# :doc:`/accuracy`.

# %%
# Plot the loss curves
# --------------------
#
# On the digits dataset, the loss curves of ``MLPClassifier`` and ``BackpropClassifier``
# with the same parameters coincide.

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.plot(
    mlp.loss_curve_, color="tab:orange", linewidth=7, alpha=0.5, label="MLPClassifier"
)
ax.plot(same.loss_curve_, color="tab:blue", label="BackpropClassifier")
ax.set(xlabel="epoch", ylabel="training loss", yscale="log", title="Digits: log-loss")
ax.legend()
plt.show()
