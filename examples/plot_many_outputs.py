"""
Image completion with multi-output regression
=============================================

This example uses :class:`~skbackprop.BackpropRegressor` to predict many targets with
one network. The input is the upper half of an image of a handwritten digit. The 32
targets are the pixels of the lower half.
"""

# %%
# Fit a network and a linear model
# --------------------------------
#
# The pixels are scaled to the range [0, 1]. With ``output_activation="sigmoid"``, the
# predictions are in the same range, so each prediction is a valid image.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeCV
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import train_test_split

from skbackprop import BackpropRegressor

X, labels = load_digits(return_X_y=True)
upper, lower = X[:, :32] / 16, X[:, 32:] / 16
X_train, X_test, y_train, y_test, _, labels_test = train_test_split(
    upper, lower, labels, test_size=0.25, stratify=labels, random_state=0
)

network = BackpropRegressor(
    (200,),
    output_activation="sigmoid",
    dropout=0.3,
    early_stopping=True,
    max_iter=500,
    random_state=0,
)
network.fit(X_train, y_train)
linear = RidgeCV(np.logspace(-2, 3, 11)).fit(X_train, y_train)

models = {"network": network, "linear model": linear}
print(
    f"{y_train.shape[1]} targets; the network was trained for {network.n_iter_} epochs"
)
print(f"{'':14}mean absolute error  smallest pixel  largest pixel")
for name, model in models.items():
    predicted = model.predict(X_test)
    error = mean_absolute_error(y_test, predicted)
    print(f"{name:14}{error:19.3f}{predicted.min():16.2f}{predicted.max():15.2f}")

# %%
# Predictions for ten test images
# -------------------------------
#
# The plot shows the first test image of each digit. The pixels below the line are
# predicted, except in the first row. If several digits have a similar upper half, the
# squared-error loss favors the mean of their lower halves, and the prediction is gray.

indices = [np.flatnonzero(labels_test == label)[0] for label in range(10)]
rows = {"true image": y_test} | {
    name: model.predict(X_test) for name, model in models.items()
}
figure, axes = plt.subplots(3, 10, figsize=(11, 3.8), layout="constrained")
for row, (name, halves) in zip(axes, rows.items(), strict=True):
    for ax, i in zip(row, indices, strict=True):
        image = np.concatenate([X_test[i], halves[i]]).reshape(8, 8)
        ax.imshow(image, cmap="gray_r", vmin=0, vmax=1)
        ax.axhline(3.5, color="tab:orange")
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(name)
plt.show()
