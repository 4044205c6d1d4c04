"""Peak memory of one `fit`: ``python -m benchmarks.memory DATA CONTESTANT``.

Where the data are a memory-mapped file, the pages of it that have been read count
towards the resident memory of a process, though they are the system's cache and
not the process's own. So what is measured is the anonymous memory alone.
"""

import re
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import numpy as np

from .contestants import CONTESTANTS
from .fit import warm_up
from .processes import LeftOutError, report
from .workloads import WORKLOADS

STATUS = Path("/proc/self/status")

#: Seconds between two looks at the memory.
INTERVAL = 0.002


def write_mapped_file(file, gigabytes):
    """Write the rows of "digits" over and over into a .npy file.

    Parameters
    ----------
    file : path-like
        Where to.
    gigabytes : float
        About how large; at least the rows of "digits" once.
    """
    X, _ = WORKLOADS["digits"].data()
    copies = max(1, round(gigabytes * 1e9 / X.nbytes))
    shape = (copies * len(X), X.shape[1])
    mapped = np.lib.format.open_memmap(file, "w+", X.dtype, shape)
    for rows in np.split(mapped, copies):
        rows[...] = X


def anonymous_megabytes():
    """Return the resident memory of this process that is not a mapped file."""
    return int(re.search(r"RssAnon:\s+(\d+)", STATUS.read_text())[1]) / 1024


@contextmanager
def watched(looks):
    """Look at the memory every few milliseconds, and append it to `looks`."""
    finished = Event()

    def look():
        while not finished.wait(INTERVAL):
            looks.append(anonymous_megabytes())

    watcher = Thread(target=look)
    watcher.start()
    try:
        yield
    finally:
        finished.set()
        watcher.join()


def peak_memory(data, contestant):
    """Return the megabytes that one epoch needs above what was there before it.

    Parameters
    ----------
    data : str
        "digits", or a file that `write_mapped_file` wrote.
    contestant : str
        A key of `CONTESTANTS`.

    Returns
    -------
    dict
    """
    if not STATUS.exists():
        raise LeftOutError("memory is read from /proc, which is not there")
    workload, make = replace(WORKLOADS["digits"], epochs=1), CONTESTANTS[contestant]
    X, y = workload.data()
    if data != "digits":
        X = np.load(data, mmap_mode="r")
        y = np.resize(y, len(X))
    warm_up(make, workload, X, y)
    network = make(workload)
    looks = [anonymous_megabytes()]
    with watched(looks):
        network.fit(X, y)
    return {"megabytes": max(looks) - looks[0], "loss": network.loss_}


if __name__ == "__main__":
    report(peak_memory)
