"""
Image completion with multi-output regression
=============================================

This example uses :class:`~skbackprop.BackpropRegressor` to predict many targets with
one network. The input is the upper half of an image of a handwritten digit. The 32
targets are the pixels of the lower half. A linear model predicts the same targets.
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
    f"{y_train.shape[1]} targets, the network was trained for {network.n_iter_} epochs"
)
print(f"{'':14}mean absolute error  smallest pixel  largest pixel")
for name, model in models.items():
    predicted = model.predict(X_test)
    error = mean_absolute_error(y_test, predicted)
    print(f"{name:14}{error:19.3f}{predicted.min():16.2f}{predicted.max():15.2f}")

# %%
# Predictions for six test images
# -------------------------------
#
# The plot shows the first test image of six digits. The pixels below the orange line
# are predicted, except in the first row. If several digits have a similar upper half,
# the squared-error loss favors the mean of their lower halves, and the prediction is
# gray.

digits = [0, 2, 3, 4, 6, 9]
indices = [np.flatnonzero(labels_test == digit)[0] for digit in digits]
rows = {"true image": y_test} | {
    name: model.predict(X_test) for name, model in models.items()
}
# Each image has a frame of one white pixel.
mosaic = np.zeros((30, 60))
for i, halves in enumerate(rows.values()):
    for j, index in enumerate(indices):
        image = np.concatenate([X_test[index], halves[index]]).reshape(8, 8)
        mosaic[10 * i + 1 : 10 * i + 9, 10 * j + 1 : 10 * j + 9] = image

figure, ax = plt.subplots(figsize=(8, 4.2), layout="constrained")
ax.imshow(mosaic, cmap="gray_r", vmin=0, vmax=1)
ax.hlines([4.5, 14.5, 24.5], -0.5, 59.5, color="tab:orange")
ax.set_xticks(10 * np.arange(6) + 4.5, digits)
ax.set_yticks([4.5, 14.5, 24.5], rows)
ax.tick_params(length=0)
ax.spines[:].set_visible(False)
plt.show()
