"""User data to arrays: columns, targets, weights and scales."""
