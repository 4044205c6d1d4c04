"""
More rows than fit into memory
==============================

``partial_fit`` learns a table a chunk at a time, and ``fit`` takes an array that stays
on disk. Here a process forbids itself to use more than a little memory. A CSV file of
nearly three times that size can no longer be read into it, but it can be learned.
"""

# %%
# A large file
# ------------
#
# Each row has 80 readings of something that swings, with noise and from any phase. The
# network shall tell from them how fast it swings. The rows are in the order of time,
# and the sensor warms up on the way: the first readings are lower than the last.
#
# Readings are whole numbers of three digits. So their text is looked up in a table of
# a thousand words, which is many times as fast as ``DataFrame.to_csv``.

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

rng = np.random.default_rng(0)
ticks = np.linspace(0, 1, 80, dtype=np.float32)
words = np.array([f"{number:03d}," for number in range(1000)], "S4")


def draw(time):
    speed, phase = rng.uniform([[1], [0]], [[8], [1]], (2, len(time)))
    turns = speed[:, np.newaxis] * ticks + phase[:, np.newaxis]
    swings = 100 * np.sin(2 * np.pi * turns) + 350 + 150 * time[:, np.newaxis]
    readings = swings + rng.normal(0, 40, swings.shape)
    return readings.clip(0, 999).astype(int), (100 * speed).astype(int)


folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "swings.csv"
with path.open("wb") as file:
    file.write(",".join([*(f"t{i}" for i in range(80)), "speed"]).encode() + b"\n")
    for time in np.split(np.linspace(0, 1, 400_000), 80):
        row = words[np.column_stack(draw(time))]
        text = row.view("S1").reshape(len(row), -1)
        text[:, -1] = b"\n"  # in the place of the last comma
        file.write(text.tobytes())
np.savez(path.with_name("test.npz"), *draw(rng.uniform(0, 1, 2_000)))
print(f"{path.name}: {path.stat().st_size / 1e6:.0f} MB")

# %%
# A limit
# -------
#
# Linux lets a process limit itself. ``RLIMIT_DATA`` counts the memory that a process
# can write to and shares with no other: its arrays, but not the files that it maps.
# (``RLIMIT_AS`` counts those too, and whatever libraries reserve without using it.)
#
# The limit is for good, so what follows runs in processes of their own. Each loads its
# libraries, and then allows itself 48 MB more than it has. Windows and macOS have no
# such limit that works; there, the code runs without.

BEGIN = """
import json, sys
import numpy as np, pandas as pd
from skbackprop import BackpropRegressor

X_test, y_test = np.load("test.npz").values()
params = dict(batch_size=100, learning_rate_init=0.003, random_state=0)
net = BackpropRegressor((64, 32), **params)
net.partial_fit(X_test[:100], y_test[:100])  # what is loaded late is there now
if sys.platform == "linux":
    import resource

    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    used = 1024 * int(status["VmData"].split()[0])
    resource.setrlimit(resource.RLIMIT_DATA, (used + 48_000_000,) * 2)
"""


def run(code):
    """Run code under the limit; print what it prints, and return its last line."""
    process = subprocess.run(
        [sys.executable, "-c", BEGIN + code],
        cwd=folder.name,
        capture_output=True,
        text=True,
        # A second thread of BLAS would want memory of its own, for products this small.
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    if process.returncode != 0:
        raise RuntimeError(process.stderr)
    *lines, result = process.stdout.splitlines()
    print(*lines, sep="\n")
    return json.loads(result)


# %%
# All at once
# -----------
#
# The table is larger than the limit, even with two bytes a number. pandas may say so
# with an error of its own.

run("""
try:
    table = pd.read_csv("swings.csv", dtype=np.int16)
    print(f"{len(table)} rows were read: this system has no limit")
except (MemoryError, pd.errors.ParserError) as error:
    print(f"{type(error).__name__}: {error}")
print("null")
""")

# %%
# A chunk at a time
# -----------------
#
# One call of ``partial_fit`` is one epoch over its chunk. It also updates the means and
# deviations by which inputs and targets are standardised. Test rows, from all of the
# time, tell after each chunk how far the network has come. On the way, the rows are
# written to another file, as plain numbers.

chunked = run("""
net = BackpropRegressor((64, 32), **params)
scores, readings = [], []
rows = np.lib.format.open_memmap("X.npy", "w+", np.float32, (400_000, 80))
targets = np.empty(400_000, np.float32)
for n_pass in (1, 2):
    chunks = pd.read_csv("swings.csv", chunksize=2_500, dtype=np.float32)
    for chunk in chunks:
        y = chunk.pop("speed").to_numpy()
        X = chunk.to_numpy()
        net.partial_fit(X, y)
        scores.append(net.score(X_test, y_test))
        readings.append(float(X.mean()))
        rows[chunk.index], targets[chunk.index] = X, y
    print(f"pass {n_pass}: {len(scores)} chunks learned, R2 {scores[-1]:.4f}")
np.save("y.npy", targets)
print(json.dumps({"scores": scores, "readings": readings}))
""")

# %%
# A file that is mapped
# ---------------------
#
# ``np.load`` with ``mmap_mode`` reads nothing yet. ``fit`` fetches the rows of each
# mini-batch from the file, which is as large as the other one. In memory it keeps no
# more than a few numbers a row: the targets, and the order of the rows. Now every
# batch has rows of all times.

mapped = run("""
import warnings

from sklearn.exceptions import ConvergenceWarning

warnings.simplefilter("ignore", ConvergenceWarning)  # a single epoch is wanted
X, y = np.load("X.npy", mmap_mode="r"), np.load("y.npy")
net = BackpropRegressor((64, 32), max_iter=1, **params).fit(X, y)
score = net.score(X_test, y_test)
print(f"{X.nbytes / 1e6:.0f} MB, one epoch: R2 {score:.4f}")
print(score)
""")
folder.cleanup()

# %%
# Chunk by chunk
# --------------
#
# The dotted line is where the file begins anew. In the first pass the network learns
# fast, until the readings leave what they had been: then it forgets the cold sensor
# over the warm one. The second pass finds a running mean that has seen both, and ends
# where the network is that had every row just once, but in random order.
#
# So write the rows of a file in random order if you can, or map the file. Where rows
# really come in the order of time, and the next ones matter most, forgetting is right.

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
scores, readings = np.array(chunked["scores"]), np.array(chunked["readings"])
count = np.arange(1, len(scores) + 1)
left.plot(count, 1 - scores, "o-", markersize=2, label="partial_fit, after each chunk")
left.axhline(1 - mapped, color="tab:orange", linestyle="--", label="fit, mapped file")
left.set(xlabel="chunks", ylabel="1 - R2 of the test rows", yscale="log")
left.set(title="What is not explained yet")
left.legend(loc="upper right")
right.plot(count, readings, "o", color="0.6", markersize=3, label="mean of the chunk")
running = np.cumsum(readings) / count
right.plot(count, running, color="tab:blue", linewidth=2, label="mean of all so far")
right.set(xlabel="chunks", ylabel="reading", title="What the standardisation goes by")
right.legend(loc="lower right")
for ax in (left, right):
    ax.axvline(160.5, color="0.7", linestyle=":", zorder=0)
plt.show()
