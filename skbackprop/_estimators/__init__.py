"""The two estimators, and the steps from their parameters to a trained network."""
