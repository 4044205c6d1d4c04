"""Models to benchmark, built from a workload.

Each model has the methods `fit` and `predict` and the attribute `loss_`. Libraries are
imported inside the functions, so a process loads only the libraries that it measures.
"""

from .processes import SkippedError


def estimator_params(workload):
    """Return the parameters that skbackprop and scikit-learn share.

    `n_iter_no_change` exceeds `max_iter`, so training never stops early.
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
    """Make a BackpropClassifier, by default with the loss of MLPClassifier."""
    from skbackprop import BackpropClassifier

    network = BackpropClassifier(loss=loss, **estimator_params(workload))
    if "standardize" in network.get_params():
        # The other models do not scale their inputs.
        network.set_params(standardize=False)
    if workload.compute_dtype is None:
        return network
    if "dtype" not in network.get_params():
        raise SkippedError("this version of skbackprop has no parameter `dtype`")
    return network.set_params(dtype=workload.compute_dtype)


def squared_error_net(workload):
    """Make a BackpropClassifier with the squared-error loss."""
    return skbackprop_net(workload, loss="squared_error")


def standardized_net(workload):
    """Make a BackpropClassifier that standardizes its inputs."""
    return skbackprop_net(workload).set_params(standardize=True)


def dropout_net(workload):
    """Make a BackpropClassifier with a dropout rate of 0.5."""
    return skbackprop_net(workload).set_params(dropout=0.5)


def mlp_classifier(workload):
    """Make an MLPClassifier."""
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(**estimator_params(workload))


def torch_net(workload):
    """Make a PyTorch network, or raise SkippedError if PyTorch is not installed."""
    try:
        from .torch_net import TorchNet
    except ImportError:
        raise SkippedError("PyTorch is not installed") from None
    return TorchNet(workload)


def floor(workload):
    """Make a baseline that computes only the matrix products of the network."""
    from .floor import Floor

    return Floor(workload)


COMPETITORS = {
    "skbackprop": skbackprop_net,
    "squared_error": squared_error_net,
    "standardized": standardized_net,
    "dropout": dropout_net,
    "MLPClassifier": mlp_classifier,
    "PyTorch": torch_net,
    "floor": floor,
}
