"""
Ensembles for DataFrames with mixed columns
===========================================

This example trains :class:`~skbackprop.BackpropEnsembleClassifier` on a DataFrame with
numeric columns, categories and missing values, and compares it with
:class:`~sklearn.ensemble.HistGradientBoostingClassifier`, a random forest and a single
network with early stopping. The other parameters are the defaults.
"""

# %%
# A dataset with mixed columns
# ----------------------------
#
# The data describe imaginary customers. The probability that a customer cancels a
# contract depends smoothly on age and income, on the category of the contract, and on
# the interaction of both. A tenth of the incomes is missing.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skbackprop import BackpropClassifier, BackpropEnsembleClassifier

rng = np.random.default_rng(0)
n = 3000
X = pd.DataFrame(
    {
        "age": rng.uniform(18, 80, n).round(),
        "income": rng.lognormal(8.0, 0.5, n).round(),
        "calls": rng.poisson(2.0, n),
        "contract": rng.choice(["monthly", "yearly", "prepaid"], n, p=[0.5, 0.3, 0.2]),
        "region": rng.choice(list("ABCDEFGH"), n),
    }
)
effect = X["contract"].map({"monthly": 1.0, "yearly": -1.5, "prepaid": 0.0})
logit = (
    effect
    + 0.8 * np.cos((X["age"] - 18) / 12)
    - 0.9 * np.log(X["income"] / 3000) * (X["contract"] != "prepaid")
    + 0.5 * X["calls"]
    - 1.0
)
y = np.where(rng.random(n) < 1 / (1 + np.exp(-logit)), "canceled", "kept")
X.loc[rng.random(n) < 0.1, "income"] = np.nan
X = X.astype({"contract": "category", "region": "category"})
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
print(X_train.head())

# %%
# Fit the ensemble
# ----------------
#
# The ensemble accepts the DataFrame without preprocessing. Each of its eight networks
# is trained on seven eighths of the rows and early-stopped on the other rows. The
# out-of-fold score is an estimate of the accuracy that needs no test set.

ensemble = BackpropEnsembleClassifier(random_state=0).fit(X_train, y_train)
print(f"out-of-fold accuracy: {ensemble.oof_score_:.3f}")
print(f"test accuracy:        {ensemble.score(X_test, y_test):.3f}")

# %%
# Compare with other models
# -------------------------
#
# The log-loss measures the quality of the predicted probabilities. The random forest
# needs numbers without missing values, so its pipeline encodes the columns.

encoder = make_column_transformer(
    (OneHotEncoder(), make_column_selector(dtype_include="category")),
    remainder=SimpleImputer(),
)
models = {
    "ensemble": ensemble,
    "single network": BackpropClassifier(
        loss="log_loss", early_stopping=True, random_state=0
    ),
    "gradient boosting": HistGradientBoostingClassifier(random_state=0),
    "random forest": make_pipeline(encoder, RandomForestClassifier(random_state=0)),
}
scores = {}
for name, model in models.items():
    if model is not ensemble:
        model.fit(X_train, y_train)
    scores[name] = {
        "accuracy": accuracy_score(y_test, model.predict(X_test)),
        "log-loss": log_loss(y_test, model.predict_proba(X_test)),
    }
scores = pd.DataFrame(scores).T
print(scores.round(3))

# %%
# Plot the log-loss
# -----------------
#
# The networks have a lower log-loss than the trees, because the target is a smooth
# function of the numeric columns, which trees approximate by steps.

figure, axes = plt.subplots(figsize=(7, 2.8), layout="constrained")
bars = axes.barh(scores.index[::-1], scores["log-loss"][::-1])
axes.bar_label(bars, fmt="%.3f", padding=3)
axes.set(xlabel="log-loss on test data (lower is better)")
axes.spines[["top", "right"]].set_visible(False)
plt.show()
