"""Number of examples of the Hypothesis tests: few in the default tier, all if slow."""

from hypothesis import settings

#: Maximum number of examples per test in the default tier.
FEW = 10

settings.register_profile("few examples", max_examples=FEW)


def load_few_examples():
    """Limit the number of examples of the tests that are imported afterwards."""
    settings.load_profile("few examples")


def examples(n, **params):
    """Return Hypothesis settings with `n` examples, or fewer in the default tier."""
    is_limited = settings().max_examples == FEW
    return settings(
        max_examples=min(n, FEW) if is_limited else n, deadline=None, **params
    )
