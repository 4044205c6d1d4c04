"""Assignment of the rows of all partitions to mini-batches."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("distributed")

from skbackprop.dask.batch_assignment import BatchAssignment

partition_sizes = st.lists(st.integers(1, 60), min_size=1, max_size=12)


def make_assignment(n_steps, shuffle=True, seed=7):
    return BatchAssignment(n_steps, shuffle, seed)


@given(partition_sizes, st.integers(1, 40), st.booleans(), st.integers(0, 3))
def test_each_epoch_uses_every_row_once(sizes, n_steps, shuffle, epoch):
    steps = make_assignment(n_steps, shuffle).rows_by_step(
        dict(enumerate(sizes)), epoch
    )
    assert len(steps) == n_steps
    np.testing.assert_array_equal(np.sort(np.concatenate(steps)), np.arange(sum(sizes)))


@given(st.integers(0, 2000), st.integers(1, 10**6), st.integers(1, 3000))
def test_each_step_uses_same_fraction_of_a_partition(number, size, n_steps):
    counts = make_assignment(n_steps).rows_per_step(number, size)
    assert counts.shape == (n_steps,)
    assert counts.sum() == size
    assert counts.min() >= size // n_steps
    assert counts.max() <= -(-size // n_steps)


@given(partition_sizes, st.integers(1, 40), st.integers(0, 1000))
def test_batch_sizes_are_similar(sizes, n_steps, first):
    counts = sum(
        make_assignment(n_steps).rows_per_step(first + i, n)
        for i, n in enumerate(sizes)
    )
    # The count of each partition differs by less than one row from the exact fraction.
    # Most of these differences cancel.
    assert np.abs(counts - sum(sizes) / n_steps).max() <= 1.0 + len(sizes) / 2


def test_batch_sizes_are_similar_with_many_small_partitions():
    counts = sum(make_assignment(40).rows_per_step(number, 7) for number in range(1000))
    # The mean is 175. Without the offset, all rows would be in the same steps.
    assert np.ptp(counts) <= 6
    assert counts.sum() == 7000


def test_batch_sizes_are_equal_if_divisible():
    for number in range(50):
        np.testing.assert_array_equal(make_assignment(6).rows_per_step(number, 24), 4)


@given(partition_sizes, st.integers(1, 20), st.booleans(), st.randoms())
def test_batches_do_not_depend_on_placement(sizes, n_steps, shuffle, random):
    def row_ids_by_step(stored, epoch=2):
        """Return the rows of each step as pairs of partition and row index."""
        indices = np.concatenate([np.arange(sizes[i]) for i in stored])
        partition_ids = np.concatenate([[i] * sizes[i] for i in stored])
        assignment = make_assignment(n_steps, shuffle)
        steps = assignment.rows_by_step({i: sizes[i] for i in stored}, epoch)
        return [set(zip(partition_ids[rows], indices[rows])) for rows in steps]

    numbers = list(range(len(sizes)))
    together = row_ids_by_step(numbers)
    random.shuffle(numbers)
    cut = random.randint(0, len(numbers))
    apart = [row_ids_by_step(ids) for ids in (numbers[:cut], numbers[cut:]) if ids]
    assert [set().union(*parts) for parts in zip(*apart)] == together


def test_shuffle_changes_order_in_each_epoch():
    sizes = {0: 30, 3: 20}

    def order(shuffle, epoch, seed=7):
        return np.concatenate(
            make_assignment(5, shuffle, seed).rows_by_step(sizes, epoch)
        ).tolist()

    assert order(True, 0) != order(True, 1)
    assert order(True, 0) != order(True, 0, seed=8)
    assert order(True, 1) == order(True, 1)
    assert order(False, 0) == order(False, 1)
    # Partitions of the same size have different orders.
    both = make_assignment(1).rows_by_step({0: 20, 1: 20}, 0)[0]
    assert (both[:20] != both[20:] - 20).any()


def test_no_shuffle_keeps_order():
    steps = make_assignment(5, shuffle=False).rows_by_step({0: 30, 1: 20}, 0)
    assert [rows[rows < 30].tolist() for rows in steps] == [
        list(range(i, i + 6)) for i in range(0, 30, 6)
    ]
    rest = np.concatenate([rows[rows >= 30] for rows in steps])
    np.testing.assert_array_equal(rest, np.arange(30, 50))
