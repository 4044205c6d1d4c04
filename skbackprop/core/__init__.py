"""The network itself: NumPy and SciPy only.

Read the modules in this order: `activations`, `losses`, `network` (the four
equations), `objective` (the cost that is descended), `optimizers`,
`schedules`, and `training` (the loop over mini-batches).
"""
