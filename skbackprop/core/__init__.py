"""The network itself: NumPy and SciPy only.

Read the modules in this order: `activations`, `losses`, `network` (the four
equations), `samples`, `objective` (the cost that is descended), `optimizers`, and
`training` (the loop over mini-batches). What can be read on its own: `inputs` (scaling
on the way in), `initializers`, `dropout`, `schedules`, `lbfgs` and `inspect`.

Examples
--------
Gradient descent by hand, the exclusive or by a network of sigmoids:

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
>>> objective = Objective(network, SquaredError(), alpha=0.0, mean_weight=1.0)
>>> work = objective.workspace(samples, n_rows=4)
>>> samples.slice(slice(0, 4), work)
>>> for epoch in range(3000):
...     cost = objective.loss_and_gradient(work, n_rows=4)  # forward, then backward
...     network.params -= 5.0 * work.grad
>>> network.predict(X).round().ravel()
array([0., 1., 1., 0.])
"""
