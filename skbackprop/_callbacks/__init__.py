"""Callbacks that run after each epoch."""
