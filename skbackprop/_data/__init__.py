"""Conversion of user data to arrays: columns, targets, weights and scales."""
