"""Measure the peak memory of one `fit`.

Call ``python -m benchmarks.memory DATA COMPETITOR``. Only anonymous memory is measured.
Resident memory also includes the pages of a memory-mapped file that have been read.
These pages belong to the page cache of the operating system.
"""

import ctypes
import re
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import numpy as np

from .competitors import COMPETITORS
from .fit import warm_up
from .processes import SkippedError, report
from .workloads import WORKLOADS

STATUS_FILE = Path("/proc/self/status")

#: Seconds between two memory readings.
INTERVAL = 0.002


def write_mapped_file(file, gigabytes):
    """Write a .npy file that repeats the rows of the workload "digits".

    Parameters
    ----------
    file : path-like
        Path of the new file.
    gigabytes : float
        Approximate size of the file. The rows are written at least once.
    """
    X, _ = WORKLOADS["digits"].make_data()
    copies = max(1, round(gigabytes * 1e9 / X.nbytes))
    shape = (copies * len(X), X.shape[1])
    mapped = np.lib.format.open_memmap(file, "w+", X.dtype, shape)
    for rows in np.split(mapped, copies):
        rows[...] = X


def anonymous_megabytes():
    """Return the anonymous resident memory of this process in MB."""
    return int(re.search(r"RssAnon:\s+(\d+)", STATUS_FILE.read_text())[1]) / 1024


def return_free_memory():
    """Return freed memory to the system, because a fit could use it again unnoticed."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):  # only in glibc
        trim(0)


@contextmanager
def record_memory(readings):
    """Append the memory to `readings` every `INTERVAL` seconds."""
    finished = Event()

    def record():
        while not finished.wait(INTERVAL):
            readings.append(anonymous_megabytes())

    recorder = Thread(target=record)
    recorder.start()
    try:
        yield
    finally:
        finished.set()
        recorder.join()


def peak_memory(data, competitor):
    """Measure the peak memory of one epoch above the memory before the fit.

    Parameters
    ----------
    data : str
        "digits", or the path of a file that `write_mapped_file` created.
    competitor : str
        A key of `COMPETITORS`.

    Returns
    -------
    dict
        Memory in "megabytes" and final "loss".

    Raises
    ------
    SkippedError
        If /proc/self/status does not exist.
    """
    if not STATUS_FILE.exists():
        raise SkippedError("memory is read from /proc, which does not exist")
    workload, make = replace(WORKLOADS["digits"], epochs=1), COMPETITORS[competitor]
    X, y = workload.make_data()
    if data != "digits":
        X = np.load(data, mmap_mode="r")
        y = np.resize(y, len(X))
    warm_up(make, workload, X, y)
    network = make(workload)
    return_free_memory()
    readings = [anonymous_megabytes()]
    with record_memory(readings):
        network.fit(X, y)
    return {"megabytes": max(readings) - readings[0], "loss": network.loss_}


if __name__ == "__main__":
    report(peak_memory)
