"""
Out-of-core training
====================

This example trains a network on a dataset that does not fit into memory. There are two
ways: ``partial_fit`` trains on the dataset in chunks, and ``fit`` accepts a
memory-mapped array. To simulate a small machine, the training processes limit their own
memory. The CSV file is almost three times as large as this limit. For details, see
:doc:`/guide/out_of_core`.
"""

# %%
# Create a large CSV file
# -----------------------
#
# Each row contains 80 readings of a sensor: a noisy sine wave with a random phase. The
# target is the frequency of the wave. The rows are sorted by time, and the sensor warms
# up over time, so the first readings are lower than the last readings.
#
# The readings are integers with three digits. The script looks up their strings in an
# array of 1000 strings, which is much faster than ``DataFrame.to_csv``.

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
strings = np.array([f"{number:03d}," for number in range(1000)], "S4")


def make_rows(time):
    frequency, phase = rng.uniform([[1], [0]], [[8], [1]], (2, len(time)))
    cycles = frequency[:, np.newaxis] * ticks + phase[:, np.newaxis]
    signal = 100 * np.sin(2 * np.pi * cycles) + 350 + 150 * time[:, np.newaxis]
    readings = signal + rng.normal(0, 40, signal.shape)
    return readings.clip(0, 999).astype(int), (100 * frequency).astype(int)


folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "waves.csv"
with path.open("wb") as file:
    file.write(",".join([*(f"t{i}" for i in range(80)), "frequency"]).encode() + b"\n")
    for time in np.split(np.linspace(0, 1, 400_000), 80):
        rows = strings[np.column_stack(make_rows(time))]
        text = rows.view("S1").reshape(len(rows), -1)
        text[:, -1] = b"\n"  # replaces the last comma
        file.write(text.tobytes())
np.savez(path.with_name("test.npz"), *make_rows(rng.uniform(0, 1, 2_000)))
print(f"{path.name}: {path.stat().st_size / 1e6:.0f} MB")

# %%
# Limit the memory
# ----------------
#
# On Linux, a process can limit its own memory. ``RLIMIT_DATA`` limits private writable
# memory, which includes arrays but excludes memory-mapped files. ``RLIMIT_AS`` is not
# suitable, because it also includes mapped files and memory that libraries reserve
# without using it.
#
# The limit is permanent, so the following code runs in separate processes. Each process
# imports its libraries and then limits itself to 48 MB of additional memory. Windows
# and macOS do not support such a limit, so the code runs without a limit there.

SETUP = """
import json, sys
import numpy as np, pandas as pd
from skbackprop import BackpropRegressor

X_test, y_test = np.load("test.npz").values()
params = dict(batch_size=100, learning_rate_init=0.003, random_state=0)
net = BackpropRegressor((64, 32), **params)
net.partial_fit(X_test[:100], y_test[:100])  # import lazy modules
if sys.platform == "linux":
    import resource

    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    used = 1024 * int(status["VmData"].split()[0])
    resource.setrlimit(resource.RLIMIT_DATA, (used + 48_000_000,) * 2)
"""


def run(code):
    """Run code with limited memory and return its last output line, parsed as JSON."""
    process = subprocess.run(
        [sys.executable, "-c", SETUP + code],
        cwd=folder.name,
        capture_output=True,
        text=True,
        # Each additional BLAS thread would allocate memory.
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    if process.returncode != 0:
        raise RuntimeError(process.stderr)
    *lines, result = process.stdout.splitlines()
    print(*lines, sep="\n")
    return json.loads(result)


# %%
# Read the whole file
# -------------------
#
# The dataset is larger than the limit, even with two bytes per value. pandas raises a
# ``MemoryError`` or a ``ParserError``.

run("""
try:
    data = pd.read_csv("waves.csv", dtype=np.int16)
    print(f"{len(data)} rows were read, because the memory is not limited")
except (MemoryError, pd.errors.ParserError) as error:
    print(f"{type(error).__name__}: {error}")
print("null")
""")

# %%
# Train in chunks with partial_fit
# --------------------------------
#
# Each call to ``partial_fit`` trains for one epoch on its chunk. The call also updates
# the means and standard deviations that standardize the inputs and targets. After each
# chunk, the network is evaluated on test rows from the whole time range.
#
# The loop also writes the rows to a ``.npy`` file for the next section.

chunked = run("""
net = BackpropRegressor((64, 32), **params)
scores, readings = [], []
rows = np.lib.format.open_memmap("X.npy", "w+", np.float32, (400_000, 80))
targets = np.empty(400_000, np.float32)
for n_pass in (1, 2):
    chunks = pd.read_csv("waves.csv", chunksize=2_500, dtype=np.float32)
    for chunk in chunks:
        y = chunk.pop("frequency").to_numpy()
        X = chunk.to_numpy()
        net.partial_fit(X, y)
        scores.append(net.score(X_test, y_test))
        readings.append(float(X.mean()))
        rows[chunk.index], targets[chunk.index] = X, y
    print(f"after pass {n_pass}: {len(scores)} chunks, R2 {scores[-1]:.4f}")
np.save("y.npy", targets)
print(json.dumps({"scores": scores, "readings": readings}))
""")

# %%
# Train on a memory-mapped file with fit
# --------------------------------------
#
# ``np.load`` with ``mmap_mode="r"`` does not read the data. ``fit`` reads the rows of
# each mini-batch from the file, which is as large as the CSV file. Only a few numbers
# per row are stored in memory: the targets and the order of the rows. Each mini-batch
# contains rows from the whole time range.

mapped = run("""
import warnings

from sklearn.exceptions import ConvergenceWarning

warnings.simplefilter("ignore", ConvergenceWarning)  # only one epoch is trained
X, y = np.load("X.npy", mmap_mode="r"), np.load("y.npy")
net = BackpropRegressor((64, 32), max_iter=1, **params).fit(X, y)
score = net.score(X_test, y_test)
print(f"{X.nbytes / 1e6:.0f} MB, one epoch: R2 {score:.4f}")
print(score)
""")
folder.cleanup()

# %%
# Compare both methods
# --------------------
#
# The dotted line marks the start of the second pass over the file. In the first pass,
# the error decreases fast, until the distribution of the readings changes. The network
# then fits the later readings, and the error for the earlier readings increases. After
# the second pass, the score is slightly below the score of the network that was trained
# once on the rows in random order.
#
# If possible, shuffle the rows of a file before training with ``partial_fit``, or use a
# memory-mapped file. If future rows matter most, keep the rows in time order, so that
# the network adapts to the latest rows.

# sphinx_gallery_thumbnail_number = 1
scores, readings = np.array(chunked["scores"]), np.array(chunked["readings"])
count = np.arange(1, len(scores) + 1)
figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
ax.plot(count, 1 - scores, "o-", markersize=2, label="partial_fit, after each chunk")
ax.axhline(
    1 - mapped, color="tab:orange", linestyle="--", label="fit, memory-mapped file"
)
ax.axvline(160.5, color="0.7", linestyle=":", zorder=0)
ax.set(xlabel="number of chunks", ylabel="1 - R2 on the test set", yscale="log")
ax.set_title("Test error")
ax.legend(loc="upper right")
plt.show()

# %%
# Mean of the readings
# --------------------
#
# ``partial_fit`` standardizes the inputs with the mean of all rows so far. In the
# second pass, this mean includes the whole time range.

figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
running = np.cumsum(readings) / count
ax.plot(count, readings, "o", color="0.6", markersize=3, label="mean of the chunk")
ax.plot(count, running, linewidth=2, label="mean of all rows so far")
ax.axvline(160.5, color="0.7", linestyle=":", zorder=0)
ax.set(xlabel="number of chunks", ylabel="reading")
ax.set_title("Mean used for standardization")
ax.legend(loc="lower right")
plt.show()
