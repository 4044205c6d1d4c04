"""The two estimators, and the way from their parameters to a trained network."""
