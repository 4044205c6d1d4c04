"""Training workers: dropout, and the network that the client sends."""

import numpy as np
import pytest

pytest.importorskip("distributed")

from partitioned_data import N_ROWS, SMALL, TWO, X

from skbackprop import BackpropClassifier
from skbackprop._estimators.fitting import prepare_training
from skbackprop.dask.batch_assignment import BatchAssignment
from skbackprop.dask.shard import Shard
from skbackprop.dask.workers import EpochWorker, StepWorker


def make_training_worker(kind, sync_args, dropout=(0.5,)):
    """Return a training worker of a shard with one partition, and its training."""
    # Dropout has no effect on units whose activation is zero, as with "relu".
    params = {"dropout": dropout, "activation": "logistic"}
    net = BackpropClassifier(**{**SMALL, **params})
    training = prepare_training(net, X.copy(), TWO)
    shard = Shard([3])
    shard.partition_sizes, shard.samples = [N_ROWS], training.samples
    return kind(shard, training.objective, training.config, *sync_args), training


def test_worker_draws_new_dropout_mask_in_each_step():
    worker, training = make_training_worker(StepWorker, [BatchAssignment(5, False, 0)])
    worker.samples.X[...] = X[0]  # only the dropout masks differ between rows
    worker.samples.codes[...] = 1
    params = training.state.network.params.copy()
    losses = {worker(params, 0, step, 70)[0] for step in (0, 0, 1, 2)}
    losses |= {worker(params, 1, step, 70)[0] for step in (0, 1, 2)}
    assert len(losses) == 6


def test_worker_does_not_change_given_network():
    worker, training = make_training_worker(
        StepWorker, [BatchAssignment(4, False, 0)], dropout=0.0
    )
    before = training.state.network.params.copy()
    worker(before + 1.0, 0, 0, 70)
    np.testing.assert_array_equal(training.state.network.params, before)
    worker, training = make_training_worker(EpochWorker, [0], dropout=0.0)
    slots = np.zeros((2, before.size))
    worker(before + 1.0, slots, 0, 0, [0.1])
    np.testing.assert_array_equal(training.state.network.params, before)
    assert not slots.any()
