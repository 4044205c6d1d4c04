"""
Ensembles for DataFrames with mixed columns
===========================================

This example trains :class:`~skbackprop.BackpropEnsembleClassifier` on a DataFrame with
numeric columns, categories and missing values. The out-of-fold score of the ensemble
estimates the accuracy without a test set. The plot compares the log-loss of the
ensemble with the log-loss of its networks, of gradient boosting and of a random forest.
For the parameters of the ensemble, see :doc:`/guide/ensembles`.
"""

# %%
# A dataset with mixed columns
# ----------------------------
#
# The data describe imaginary customers. The probability that a customer cancels a
# contract is a smooth function of the numeric columns. The probability also depends on
# the category of the contract. A tenth of the incomes is missing.

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

from skbackprop import BackpropEnsembleClassifier

rng = np.random.default_rng(0)
n = 6000
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
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=1500, random_state=0
)
print(X_train.head())

# %%
# Fit the ensemble
# ----------------
#
# The ensemble accepts the DataFrame without preprocessing. Each of its eight networks
# is trained on seven eighths of the rows. Early stopping uses the remaining rows.
#
# ``oof_prediction_`` contains the probabilities of each training row. The probabilities
# of a row are predicted by the network that was not trained on this row.
# ``oof_score_`` is the accuracy of these predictions. The standard error of an accuracy
# on 1500 rows is about 0.01.

ensemble = BackpropEnsembleClassifier(random_state=0).fit(X_train, y_train)
print(f"out-of-fold accuracy: {ensemble.oof_score_:.3f}")
print(f"test accuracy:        {ensemble.score(X_test, y_test):.3f}")
print(f"out-of-fold log-loss: {log_loss(y_train, ensemble.oof_prediction_):.3f}")
print(f"test log-loss:        {log_loss(y_test, ensemble.predict_proba(X_test)):.3f}")

# %%
# ``history_`` contains the losses of all networks. The networks stop in different
# epochs.

epochs = ensemble.history_.groupby(level=0).size()
print(f"epochs of the networks: {epochs.tolist()}")

# %%
# Compare with other models
# -------------------------
#
# The log-loss measures the quality of the predicted probabilities. The random forest
# requires numbers without missing values, so its pipeline encodes the columns.

encoder = make_column_transformer(
    (OneHotEncoder(), make_column_selector(dtype_include="category")),
    remainder=SimpleImputer(),
)
models = {
    "ensemble": ensemble,
    "gradient boosting": HistGradientBoostingClassifier(
        early_stopping=True, random_state=0
    ),
    "random forest": make_pipeline(encoder, RandomForestClassifier(random_state=0)),
}
models["gradient boosting"].fit(X_train, y_train)
models["random forest"].fit(X_train, y_train)
models |= {f"network {i}": net for i, net in enumerate(ensemble.estimators_, start=1)}

scores = pd.DataFrame(
    {
        name: {
            "accuracy": accuracy_score(y_test, model.predict(X_test)),
            "log-loss": log_loss(y_test, model.predict_proba(X_test)),
        }
        for name, model in models.items()
    }
).T
print(scores.round(3))

# %%
# Plot the log-loss
# -----------------
#
# The ensemble averages the probabilities of its networks. The log-loss of the ensemble
# is about as low as the log-loss of the best network, which is unknown without a test
# set. All networks have a lower log-loss than the trees, because the target is a smooth
# function of the numeric columns. Trees approximate such a function by steps.

is_network = scores.index.str.startswith("network")
losses = {name: [loss] for name, loss in scores["log-loss"][~is_network].items()}
losses["networks of the ensemble"] = scores["log-loss"][is_network]

figure, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
for i, name in enumerate(sorted(losses, key=lambda name: -np.mean(losses[name]))):
    ax.plot(losses[name], np.full(len(losses[name]), i), "o", markersize=9, alpha=0.7)
    ax.text(np.mean(losses[name]), i + 0.25, name, ha="center")
ax.set(xlabel="log-loss on test data (lower is better)", yticks=[], ylim=(-0.5, 3.7))
ax.spines[["top", "left", "right"]].set_visible(False)
ax.margins(x=0.15)
plt.show()
