"""
Many outputs: the lower half of a digit
=======================================

:class:`~skbackprop.BackpropRegressor` learns several targets at once. Here there are
32 of them: from the upper four rows of pixels of a handwritten digit, it is to draw the
lower four.
"""

# %%
# Half an image in, half an image out
# -----------------------------------
#
# Pixels are scaled to between 0 and 1. A sigmoid for the outputs keeps what is drawn
# there as well, so that every answer is an image.

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
print(f"{y_train.shape[1]} targets; the network learned for {network.n_iter_} epochs")
print(f"{'':14}mean error  smallest pixel  largest pixel")
for name, model in models.items():
    drawn = model.predict(X_test)
    error = mean_absolute_error(y_test, drawn)
    print(f"{name:14}{error:10.3f}{drawn.min():16.2f}{drawn.max():15.2f}")

# %%
# Ten test digits
# ---------------
#
# The first of each kind among the test digits; what lies below the line is drawn.
# Where the upper half leaves open what follows, the squared error asks for the mean of
# all that may: it is grey.

chosen = [np.flatnonzero(labels_test == label)[0] for label in range(10)]
rows = {"written": y_test} | {
    name: model.predict(X_test) for name, model in models.items()
}
figure, axes = plt.subplots(3, 10, figsize=(11, 3.8), layout="constrained")
for row, (name, halves) in zip(axes, rows.items(), strict=True):
    for ax, i in zip(row, chosen, strict=True):
        image = np.concatenate([X_test[i], halves[i]]).reshape(8, 8)
        ax.imshow(image, cmap="gray_r", vmin=0, vmax=1)
        ax.axhline(3.5, color="tab:orange")
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(name)
plt.show()
