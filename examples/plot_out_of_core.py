"""
More rows than fit into memory
==============================

``partial_fit`` learns a table a chunk at a time, so that only one chunk need be in
memory. Here a CSV file is read in pieces; means and deviations of the columns are kept
running, so that nothing has to be scaled beforehand. In the end the network is compared
with one that was fitted to the whole table at once.
"""

# %%
# A file
# ------
#
# Sales by the hour, the income and the region of the customer, and the share of the
# price that was taken off. The rows are in the order of time, and incomes grow in
# it: the first chunk is not like the last.

import tempfile
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning

from skbackprop import BackpropRegressor

rng = np.random.default_rng(0)


def draw(n):
    time = np.linspace(0, 1, n)
    frame = pd.DataFrame(
        {
            "hour": rng.uniform(0, 24, n),
            "income": (20_000 + 30_000 * time) * rng.lognormal(0, 0.3, n),
            "share": rng.beta(2, 50, n),
            "region": rng.choice(["north", "south", "west"], n),
        }
    )
    sales = 300 * np.sin(frame["hour"] * np.pi / 12) + 5_000 * frame["share"]
    sales += 0.02 * frame["income"] * (frame["region"] == "south")
    return frame.assign(sales=(sales + rng.normal(0, 100, n)).round(2))


folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "sales.csv"
draw(40_000).round({"hour": 2, "income": 0, "share": 4}).to_csv(path, index=False)
with path.open() as file:
    print("".join(next(file) for _ in range(4)))

# %%
# A chunk at a time
# -----------------
#
# All levels of the category are named beforehand, for a chunk need not contain each.
# One call of ``partial_fit`` is one epoch over its chunk, and updates the means and
# deviations by which inputs and targets are standardised. Rows of their own, from all
# of the time, tell after each chunk how far the network has come.

regions = pd.CategoricalDtype(["north", "south", "west"])
X_test = draw(5_000).astype({"region": regions})
y_test = X_test.pop("sales")

net = BackpropRegressor((50,), batch_size=100, learning_rate_init=0.005, random_state=0)
scores, incomes = [], []
for n_pass in range(1, 4):
    for chunk in pd.read_csv(path, chunksize=2_000, dtype={"region": regions}):
        y = chunk.pop("sales")
        net.partial_fit(chunk, y)
        scores.append(net.score(X_test, y_test))
        incomes.append(chunk["income"].mean())
    print(f"pass {n_pass}: {len(scores)} chunks learned, R2 {scores[-1]:.4f}")

# %%
# All at once
# -----------
#
# The same network, given the whole table for three epochs. Now every batch has rows of
# all times.

table = pd.read_csv(path, dtype={"region": regions})
folder.cleanup()
y = table.pop("sales")
whole = BackpropRegressor(**net.get_params()).set_params(max_iter=3)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)  # three epochs are wanted
    whole.fit(table, y)
print(f"all rows at once, 3 epochs: R2 {whole.score(X_test, y_test):.4f}")
print(f"rows of the table {len(table)}, of a chunk {len(chunk)}")

# %%
# Chunk by chunk
# --------------
#
# The dotted lines are where the file begins anew. In the first pass the network meets
# higher and higher incomes, and by its end it is nearly as good as the one that had
# all rows three times. The running mean of the incomes, by which they are standardised,
# swings less from pass to pass.

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
chunks = np.arange(1, len(scores) + 1)
left.plot(chunks, scores, "o-", markersize=4, label="partial_fit, after each chunk")
score = whole.score(X_test, y_test)
left.axhline(score, color="tab:orange", linestyle="--", label="fit on all rows")
left.set(xlabel="chunks", ylabel="R2 of the test rows", title="Learning")
left.legend(loc="lower right")
right.plot(chunks, incomes, "o", color="0.6", label="mean of the chunk")
running = np.cumsum(incomes) / chunks
right.plot(chunks, running, color="tab:blue", linewidth=2, label="mean of all so far")
right.set(xlabel="chunks", ylabel="income", title="What the standardisation goes by")
right.set(ylim=(15_000, 68_000))
right.legend(loc="upper left", ncols=2)
for ax in (left, right):
    for end in (20.5, 40.5):
        ax.axvline(end, color="0.8", linestyle=":", zorder=0)
plt.show()
