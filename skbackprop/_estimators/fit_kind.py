"""Kinds of fits."""

from enum import Enum


class FitKind(Enum):
    """How a fit starts.

    Attributes
    ----------
    continues : bool
        Whether training continues from a fitted network.
    is_chunk : bool
        Whether the fit is one epoch of `partial_fit`.
    """

    FRESH = "fit with a new network", False, False
    WARM = "fit with warm_start=True after an earlier fit", True, False
    FIRST_CHUNK = "first call of partial_fit", False, True
    NEXT_CHUNK = "later call of partial_fit", True, True
    RESUMED = "interrupted fit, from a checkpoint", True, False

    def __init__(self, description, continues, is_chunk):
        self.description = description
        self.continues, self.is_chunk = continues, is_chunk
