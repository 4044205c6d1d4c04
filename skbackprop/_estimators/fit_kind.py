"""Kinds of fits."""

from enum import Enum


class FitKind(Enum):
    """Kind of fit: how training starts, and which earlier results it uses."""

    FRESH = "fit with a new network"
    WARM = "fit with warm_start=True after an earlier fit"
    FIRST_CHUNK = "first call of partial_fit"
    NEXT_CHUNK = "later call of partial_fit"
    RESUMED = "interrupted fit, from a checkpoint"

    def __init__(self, description):
        #: Whether training continues from a fitted network.
        self.continues = self.name in ("WARM", "NEXT_CHUNK", "RESUMED")
        #: Whether this is one epoch of `partial_fit`.
        self.is_chunk = self.name in ("FIRST_CHUNK", "NEXT_CHUNK")
