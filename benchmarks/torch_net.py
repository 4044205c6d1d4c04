"""Plain training loop in PyTorch."""

from itertools import pairwise

import torch
from torch import nn

ACTIVATIONS = {"relu": nn.ReLU, "logistic": nn.Sigmoid}


class TorchNet:
    """Fully connected classifier in PyTorch.

    Parameters
    ----------
    workload : Workload
        The network and its training parameters.

    Attributes
    ----------
    loss_ : float
        Mean loss over the last epoch, without the penalty.
    """

    def __init__(self, workload):
        self.workload = workload
        self.two_classes = workload.sizes[-1] == 2

    def fit(self, X, y):
        """Train on the rows of `X` and the class indices `y`."""
        torch.manual_seed(0)
        X, y = torch.from_numpy(X), torch.from_numpy(y)
        criterion = nn.CrossEntropyLoss()
        if self.two_classes:
            criterion, y = nn.BCEWithLogitsLoss(), y.to(X.dtype)[:, None]
        self.network = self._network().to(X.dtype)
        optimizer = self._optimizer()
        size = self.workload.batch_size
        for _ in range(self.workload.epochs):
            total = 0.0
            order = torch.randperm(len(X))
            for start in range(0, len(X), size):
                rows = order[start : start + size]
                loss = criterion(self.network(X[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item() * len(rows)
        self.loss_ = total / len(X)

    def predict(self, X):
        """Predict the class index of each row of `X`."""
        with torch.no_grad():
            outputs = self.network(torch.from_numpy(X))
            if self.two_classes:
                return (outputs[:, 0] > 0).long().numpy()
            return outputs.argmax(dim=1).numpy()

    def _network(self):
        *sizes, n_classes = self.workload.sizes
        layers = []
        for fan_in, fan_out in pairwise(sizes):
            layers += [
                nn.Linear(fan_in, fan_out),
                ACTIVATIONS[self.workload.activation](),
            ]
        outputs = nn.Linear(sizes[-1], 1 if self.two_classes else n_classes)
        return nn.Sequential(*layers, outputs)

    def _optimizer(self):
        params, rate = self.network.parameters(), self.workload.learning_rate
        decay = self.workload.alpha / self.workload.batch_size
        if self.workload.solver == "adam":
            return torch.optim.Adam(params, lr=rate, weight_decay=decay)
        momentum = self.workload.momentum
        return torch.optim.SGD(
            params,
            lr=rate,
            weight_decay=decay,
            momentum=momentum,
            nesterov=momentum > 0,
        )
