"""A small sample of the combinations of several factors that covers all pairs."""

from itertools import combinations, product


def pairs_of(setting):
    """Return each pair of values in a setting, with the positions of the values."""
    return set(combinations(enumerate(setting), 2))


def all_pairs(*factors):
    """Choose settings in which every two values of different factors occur together.

    Parameters
    ----------
    *factors : list
        The values of each factor.

    Returns
    -------
    list of tuple
        The settings, one value per factor. Each setting covers the largest number of
        pairs that are still missing. Ties are resolved by the order of the settings.
    """
    candidates = list(product(*factors))
    missing = set().union(*map(pairs_of, candidates))
    chosen = []
    while missing:
        best = max(candidates, key=lambda setting: len(pairs_of(setting) & missing))
        chosen.append(best)
        missing -= pairs_of(best)
    return chosen
