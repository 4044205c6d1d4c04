"""Who takes part: each is made for a workload, with `fit`, `predict` and `loss_`.

Libraries are imported where they are used, so that a process holds, in its memory
as well, only what it measures.
"""

from .processes import LeftOutError


def estimator_params(workload):
    """Return the parameters that skbackprop and scikit-learn have in common.

    No training ends early with them, for nothing counts as no improvement
    often enough.
    """
    return dict(
        hidden_layer_sizes=workload.sizes[1:-1],
        activation=workload.activation,
        solver=workload.solver,
        alpha=workload.alpha,
        batch_size=workload.batch_size,
        learning_rate_init=workload.learning_rate,
        momentum=workload.momentum,
        nesterovs_momentum=True,
        shuffle=True,
        max_iter=workload.epochs,
        tol=0.0,
        n_iter_no_change=workload.epochs + 1,
        random_state=0,
    )


def skbackprop_net(workload, loss="log_loss"):
    """Make a BackpropClassifier, minimising what MLPClassifier minimises."""
    from skbackprop import BackpropClassifier

    network = BackpropClassifier(loss=loss, **estimator_params(workload))
    if "standardize" in network.get_params():
        # What all the others are given, they take as it is.
        network.set_params(standardize=False)
    if workload.computed_in is None:
        return network
    if "dtype" not in network.get_params():
        raise LeftOutError("this skbackprop has no parameter `dtype`")
    return network.set_params(dtype=workload.computed_in)


def quadratic_net(workload):
    """Make a BackpropClassifier that minimises the quadratic cost."""
    return skbackprop_net(workload, loss="squared_error")


def standardized_net(workload):
    """Make a BackpropClassifier that standardises its inputs."""
    return skbackprop_net(workload).set_params(standardize=True)


def dropout_net(workload):
    """Make a BackpropClassifier that drops half of its hidden units out."""
    return skbackprop_net(workload).set_params(dropout=0.5)


def mlp_classifier(workload):
    """Make an MLPClassifier."""
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(**estimator_params(workload))


def torch_net(workload):
    """Make a network of PyTorch, where that is installed."""
    try:
        from .torch_net import TorchNet
    except ImportError:
        raise LeftOutError("PyTorch is not installed") from None
    return TorchNet(workload)


def floor(workload):
    """Make the matrix products of the network, and nothing else of it."""
    from .floor import Floor

    return Floor(workload)


CONTESTANTS = {
    "skbackprop": skbackprop_net,
    "quadratic": quadratic_net,
    "standardized": standardized_net,
    "dropout": dropout_net,
    "MLPClassifier": mlp_classifier,
    "PyTorch": torch_net,
    "floor": floor,
}
