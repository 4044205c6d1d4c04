"""What fits, predictions and searches cost, beside other neural networks."""
