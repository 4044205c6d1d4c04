"""Benchmarks of speed, memory and accuracy against other neural networks."""
