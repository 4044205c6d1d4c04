"""Numerical core of the package; requires only NumPy and SciPy.

Recommended reading order:

1. `activations` and `losses`: functions with their derivatives.
2. `layout` and `workspace`: the flat parameter vector and preallocated buffers.
3. `network`: the forward pass and the four equations of back-propagation.
4. `inputs`, `piecewise` and `samples`: input transforms and mini-batches.
5. `objective`: the cost function and its gradient.
6. `optimizers` and `updater`: the update of the parameters.
7. `config`, `state`, `epochs` and `training`: the training loop.

These modules can be read separately: `initializers`, `dropout`, `schedules`, `lbfgs`,
`inspection`, `sparse`, `blas` and `user_functions`.

Examples
--------
Train a sigmoid network on the XOR problem with gradient descent:

>>> import numpy as np
>>> from skbackprop.core.activations import Sigmoid
>>> from skbackprop.core.initializers import Uniform
>>> from skbackprop.core.losses import SquaredError
>>> from skbackprop.core.network import Network
>>> from skbackprop.core.objective import Objective
>>> from skbackprop.core.samples import Samples
>>> X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
>>> y = np.array([[0.0], [1.0], [1.0], [0.0]])
>>> samples = Samples(X, y)
>>> network = Network([2, 3, 1], [Sigmoid(), Sigmoid()], "float64")
>>> network.initialize(np.random.RandomState(0), [Uniform(6.0), Uniform(6.0)])
>>> objective = Objective(network, SquaredError(), alpha=0.0)
>>> work = objective.workspace(samples, n_rows=4)
>>> samples.slice(slice(0, 4), work)
>>> for epoch in range(3000):
...     cost = objective.loss_and_gradient(work, n_rows=4)  # forward and backward pass
...     network.params -= 5.0 * work.grad
>>> network.predict(X).round().ravel()
array([0., 1., 1., 0.])
"""
