"""Displays that plot the training and the weights of a network."""
