"""Number of examples of the Hypothesis tests, which is small in the default tier."""

from hypothesis import settings

#: The default tier runs this fraction of the examples.
FRACTION = 1 / 6

settings.register_profile("few examples", max_examples=int(100 * FRACTION))


def load_few_examples():
    """Limit the number of examples of the tests that are imported afterwards."""
    settings.load_profile("few examples")


def examples(n, **params):
    """Return Hypothesis settings with `n` examples, or fewer in the default tier."""
    is_limited = settings.default is settings.get_profile("few examples")
    n_examples = max(3, int(n * FRACTION)) if is_limited else n
    return settings(max_examples=n_examples, deadline=None, **params)
