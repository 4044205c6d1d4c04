"""Cluster of the tests in this folder."""

import signal

import pytest

#: Seconds after which a hanging test fails. All tests are much faster.
TIME_LIMIT = 100


@pytest.fixture
def time_limit():
    """Fail a test that does not end."""

    def fail(number, frame):
        pytest.fail(f"The test took more than {TIME_LIMIT} seconds.")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(TIME_LIMIT)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def _cluster():
    from clusters import cluster  # requires distributed

    with cluster() as client:
        yield client


@pytest.fixture
def client(_cluster):
    """Return the client of a cluster whose workers are not killed."""
    with _cluster.as_current():
        yield _cluster
