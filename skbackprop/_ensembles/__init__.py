"""Ensembles of networks, each early-stopped on another fold of the training data."""
