"""Tests of the displays: the plots show the attributes of the estimator."""

import subprocess
import sys
import textwrap
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from small_fits import error_of, ignore_convergence_warning
from small_networks import CODES, ESTIMATORS, X, classifier, small, to_dataframe

import skbackprop
from skbackprop import (
    BackpropClassifier,
    BackpropEnsembleClassifier,
    GradientFlowDisplay,
    LossCurveDisplay,
    WeightsDisplay,
)

plt.switch_backend("agg")


DISPLAYS = [LossCurveDisplay, GradientFlowDisplay, WeightsDisplay]
displays = pytest.mark.parametrize("display", DISPLAYS)
TRAIN, VAL = slice(0, 60), slice(60, 90)
# The learning rate is so high that the validation loss increases after a few epochs.
FAST = dict(learning_rate_init=0.3, batch_size=20, loss="log_loss")


@pytest.fixture(autouse=True)
def _closed_figures():
    yield
    plt.close("all")


def fit_with_validation(net):
    return net.fit(X[TRAIN], CODES[TRAIN], X_val=X[VAL], y_val=CODES[VAL])


def legend_texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def assert_line_data(line, epochs, values):
    np.testing.assert_array_equal(line.get_xdata(), epochs)
    np.testing.assert_array_equal(line.get_ydata(), values)


# ------------------------------------------------------------------- losses


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
@ESTIMATORS
def test_loss_curve_shows_loss_curve_attribute(make, y, solver):
    estimator = small(make, solver=solver, tol=1e-3).fit(X, y)
    display = LossCurveDisplay.from_estimator(estimator)
    losses = estimator.loss_curve_
    assert len(losses) > 5
    assert_line_data(display.line_, range(1, len(losses) + 1), losses)
    assert display.validation_line_ is None
    assert display.best_ is None
    assert legend_texts(display.ax_) == ["training"]
    assert display.ax_.lines[:] == [display.line_]
    assert display.figure_ is display.ax_.figure
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("Epoch", "Loss")


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("scoring", ["loss", "accuracy"])
def test_best_epoch_is_marked_on_validation_curve(scoring, early_stopping):
    net = classifier(**FAST, scoring=scoring, early_stopping=early_stopping)
    fit_with_validation(net)
    display = LossCurveDisplay.from_estimator(net, name="fast")
    losses = net.validation_loss_curve_
    assert_line_data(display.validation_line_, range(1, len(losses) + 1), losses)
    best = int(np.argmax(net.validation_scores_)) + 1
    assert 1 < best < len(losses)
    assert_line_data(display.best_, [best], [losses[best - 1]])
    assert legend_texts(display.ax_) == [
        "fast, training",
        "fast, validation",
        f"fast, best epoch {best}",
    ]
    color = display.line_.get_color()
    assert display.validation_line_.get_color() == display.best_.get_color() == color
    assert display.validation_line_.get_linestyle() == "--"


def test_best_epoch_by_accuracy_can_differ_from_lowest_loss():
    net = fit_with_validation(classifier(**FAST, scoring="accuracy"))
    best = LossCurveDisplay.from_estimator(net).best_epoch
    assert best != np.argmin(net.validation_loss_curve_) + 1
    assert net.validation_scores_[best - 1] == max(net.validation_scores_)


def test_marked_epoch_is_the_one_restored_by_early_stopping():
    net = fit_with_validation(classifier(**FAST, early_stopping=True))
    display = LossCurveDisplay.from_estimator(net)
    outputs = net.predict_proba(X[VAL])[np.arange(30), CODES[VAL]]
    np.testing.assert_allclose(
        display.best_.get_ydata(), [-np.log(outputs).mean()], rtol=1e-12
    )


def test_best_epoch_belongs_to_last_fit():
    net = fit_with_validation(classifier(**FAST, warm_start=True))
    before = len(net.loss_curve_)
    best_before = max(net.validation_scores_)
    # These validation data are harder: all scores are lower than in the first fit.
    net.fit(X, CODES, X_val=X[VAL], y_val=CODES[VAL][::-1])
    scores = net.validation_scores_
    assert max(scores[before:]) < best_before
    best = LossCurveDisplay.from_estimator(net).best_epoch
    assert best > before
    assert scores[best - 1] == max(scores[before:])


def test_epochs_without_validation_data_are_nan_in_curve():
    net = classifier(warm_start=True).fit(X, CODES)
    before = len(net.loss_curve_)
    fit_with_validation(net)
    display = LossCurveDisplay.from_estimator(net)
    plotted = display.validation_line_.get_ydata()
    assert np.isnan(plotted).tolist() == [True] * before + [False] * net.n_iter_
    assert display.best_epoch > before
    assert len(legend_texts(display.ax_)) == 3
    # If the last fit has no validation data, no epoch is marked.
    net.fit(X, CODES)
    assert LossCurveDisplay.from_estimator(net).best_ is None


def test_models_on_shared_axes_have_different_colors():
    _, ax = plt.subplots()
    nets = [classifier(solver=name).fit(X, CODES) for name in ("adam", "sgd")]
    nets += [classifier(early_stopping=True).fit(X, CODES)]
    displays = [
        LossCurveDisplay.from_estimator(net, ax=ax, name=f"net {i}")
        for i, net in enumerate(nets)
    ]
    assert {display.ax_ for display in displays} == {ax}
    assert {display.figure_ for display in displays} == {ax.figure}
    assert plt.get_fignums() == [ax.figure.number]
    assert len({display.line_.get_color() for display in displays}) == 3
    for display, net in zip(displays, nets):
        np.testing.assert_array_equal(display.line_.get_ydata(), net.loss_curve_)
    assert legend_texts(ax)[:3] == [
        "net 0, training",
        "net 1, training",
        "net 2, training",
    ]


def test_display_can_be_plotted_again_with_another_name():
    display = LossCurveDisplay.from_estimator(classifier().fit(X, CODES), name="one")
    first = display.ax_
    assert display.plot(name="other") is display
    assert display.ax_ is not first
    assert legend_texts(first) == ["one, training"]
    assert legend_texts(display.ax_) == ["other, training"]


@pytest.mark.parametrize(
    "style",
    [
        {"color": "red", "linestyle": ":", "linewidth": 3.0},
        {"c": "red", "ls": ":", "lw": 3.0},
    ],
    ids=["full names", "aliases"],
)
def test_line_kwargs_apply_to_both_curves(style):
    net = fit_with_validation(classifier())
    display = LossCurveDisplay.from_estimator(net, **style)
    for line in (display.line_, display.validation_line_):
        assert (line.get_color(), line.get_linestyle()) == ("red", ":")
        assert line.get_linewidth() == 3.0
    assert display.best_.get_color() == "red"
    flow = GradientFlowDisplay.from_estimator(net, **style)
    assert {line.get_color() for line in flow.lines_} == {"red"}
    assert {line.get_linewidth() for line in flow.lines_} == {3.0}


# ---------------------------------------------------------------- gradients


@ESTIMATORS
@ignore_convergence_warning
def test_gradient_flow_has_one_line_per_layer(make, y):
    deep = small(make).set_params(hidden_layer_sizes=(5, 4, 3)).fit(X, y)
    display = GradientFlowDisplay.from_estimator(deep)
    assert len(display.lines_) == 4
    for norms, line in zip(deep.gradient_norms_.T, display.lines_, strict=True):
        assert_line_data(line, range(1, deep.n_iter_ + 1), norms)
    assert display.ax_.get_yscale() == "log"
    assert legend_texts(display.ax_) == ["layer 1", "layer 2", "layer 3", "layer 4"]
    assert display.figure_ is display.ax_.figure
    assert len({tuple(line.get_color()) for line in display.lines_}) == 4


def test_cmap_sets_colors_of_layers():
    _, ax = plt.subplots()
    net = classifier().fit(X, CODES)
    display = GradientFlowDisplay.from_estimator(net, ax=ax, cmap="Reds")
    assert display.ax_ is ax
    first = matplotlib.colormaps["Reds"](0.0)
    assert matplotlib.colors.to_rgba(display.lines_[0].get_color()) == first


# ------------------------------------------------------------------ weights

PIXELS = np.random.default_rng(0).normal(size=(60, 12))


@pytest.fixture(scope="module")
def pixel_net():
    """Return a network with 5 units and images of 3 x 4 pixels as inputs."""
    net = classifier().set_params(hidden_layer_sizes=(5,))
    return net.fit(PIXELS, (PIXELS[:, 0] > 0).astype(int))


def test_weight_images_are_arranged_row_by_row(pixel_net):
    display = WeightsDisplay.from_estimator(pixel_net, image_shape=(3, 4))
    assert display.images.shape == (5, 3, 4)
    mosaic = display.image_.get_array()
    # The grid has 2 x 3 positions, separated by one pixel. The last position is empty.
    assert mosaic.shape == (2 * 3 + 1, 3 * 4 + 2)
    covered = np.ma.getmaskarray(mosaic).copy()
    for unit, (top, left) in enumerate([(0, 0), (0, 5), (0, 10), (4, 0), (4, 5)]):
        image = pixel_net.coefs_[0][:, unit].reshape(3, 4)
        position = slice(top, top + 3), slice(left, left + 4)
        np.testing.assert_array_equal(mosaic[position], image)
        assert not covered[position].any()
        covered[position] = True
    assert (~covered).sum() == 0
    assert np.ma.getmaskarray(mosaic).sum() == 7 * 14 - 5 * 12


def test_weight_images_share_symmetric_color_limits(pixel_net):
    display = WeightsDisplay.from_estimator(pixel_net, image_shape=(3, 4))
    largest = np.abs(pixel_net.coefs_[0]).max()
    assert display.image_.get_clim() == (-largest, largest)
    assert display.image_.get_cmap().name == "RdBu_r"
    assert display.figure_ is display.ax_.figure
    assert not display.ax_.axison


@pytest.mark.parametrize(
    "limits",
    [{"vmin": -1.0, "vmax": 1.0}, {"norm": matplotlib.colors.Normalize(-1, 1)}],
)
def test_imshow_kwargs_set_color_limits(pixel_net, limits):
    _, ax = plt.subplots()
    display = WeightsDisplay.from_estimator(
        pixel_net, image_shape=(3, 4), ax=ax, cmap="gray", **limits
    )
    assert display.ax_ is ax
    assert display.image_.get_clim() == (-1.0, 1.0)
    assert display.image_.get_cmap().name == "gray"


@pytest.mark.parametrize("units", [[4, 0], np.array([4, 0]), (4, 0), range(4, -1, -4)])
def test_units_can_be_selected_in_any_order(pixel_net, units):
    display = WeightsDisplay.from_estimator(pixel_net, image_shape=(3, 4), units=units)
    expected = pixel_net.coefs_[0].T[[4, 0]].reshape(2, 3, 4)
    np.testing.assert_array_equal(display.images, expected)
    np.testing.assert_array_equal(display.image_.get_array()[:, :4], expected[0])
    np.testing.assert_array_equal(display.image_.get_array()[:, 5:], expected[1])


@ignore_convergence_warning
def test_image_shape_is_optional_for_square_images():
    net = BackpropClassifier((2,), solver="lbfgs", tol=0.1, random_state=0)
    display = WeightsDisplay.from_estimator(net.fit(to_dataframe(), CODES))
    np.testing.assert_array_equal(display.images, net.coefs_[0].T.reshape(2, 2, 2))


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, ("image_shape must be given", "12 inputs")),
        ({"image_shape": (3, 5)}, ("image_shape=(3, 5)", "12")),
        ({"image_shape": (12,)}, ("image_shape=(12,)",)),
        ({"image_shape": (-3, -4)}, ("image_shape=(-3, -4)",)),
        ({"image_shape": (3, 2, 2)}, ("image_shape=(3, 2, 2)",)),
        ({"image_shape": (3, 4), "units": [5]}, ("units", "0 to 4", "[5]")),
        ({"image_shape": (3, 4), "units": [-1]}, ("units", "0 to 4", "[-1]")),
        ({"image_shape": (3, 4), "units": []}, ("units", "0 to 4", "[]")),
        ({"image_shape": (3, 4), "units": 3}, ("units", "0 to 4", "got 3")),
        ({"image_shape": (3, 4), "units": [0.5]}, ("units", "0 to 4", "[0.5]")),
        ({"image_shape": (3, 4), "units": [[0], [1]]}, ("units", "0 to 4")),
        ({"image_shape": (3.0, 4.0)}, ("image_shape=(3.0, 4.0)",)),
        ({"image_shape": 12}, ("image_shape=12",)),
    ],
    ids=str,
)
def test_invalid_image_shape_or_units_raise_value_error(pixel_net, params, words):
    error_of(lambda: WeightsDisplay.from_estimator(pixel_net, **params), *words)
    assert plt.get_fignums() == []


# ------------------------------------------------------------ all displays


@displays
def test_ensemble_raises_type_error(display):
    ensemble = BackpropEnsembleClassifier(classifier(), cv=2).fit(X, CODES)
    error_of(
        lambda: display.from_estimator(ensemble),
        "BackpropEnsembleClassifier",
        "pass one of estimators_",
        error=TypeError,
    )
    assert display.from_estimator(ensemble.estimators_[0]).ax_ is not None


@displays
def test_pipeline_raises_type_error(display):
    pipeline = make_pipeline(StandardScaler(), classifier()).fit(X, CODES)
    error_of(
        lambda: display.from_estimator(pipeline),
        "Pipeline",
        "last step",
        error=TypeError,
    )
    assert display.from_estimator(pipeline[-1]).ax_ is not None


@displays
@ESTIMATORS
def test_unfitted_estimator_raises_not_fitted_error(make, y, display):
    error_of(
        lambda: display.from_estimator(make()), make.__name__, error=NotFittedError
    )


@pytest.mark.parametrize("display", [LossCurveDisplay, GradientFlowDisplay])
@pytest.mark.parametrize("early_stopping", [False, True])
@ESTIMATORS
@ignore_convergence_warning
def test_fit_without_epochs_can_be_plotted(make, y, early_stopping, display):
    params = dict(solver="lbfgs", tol=1e9, early_stopping=early_stopping)
    plotted = display.from_estimator(small(make, **params).fit(X, y))
    plotted.figure_.canvas.draw()
    assert {len(line.get_xdata()) for line in plotted.ax_.lines} == {0}


@displays
@ESTIMATORS
def test_plotting_does_not_change_estimator(make, y, display):
    estimator = small(make, early_stopping=True).fit(X, y)
    before = vars(estimator).copy()
    display.from_estimator(estimator).figure_.canvas.draw()
    assert vars(estimator) == before


def test_missing_matplotlib_raises_import_error_with_extra():
    folder = str(Path(skbackprop.__file__).parent.parent)
    code = f"""
        import sys
        sys.path.insert(0, {folder!r})
        import sklearn.metrics, sklearn.model_selection
        for name in [name for name in sys.modules if name.startswith("matplotlib")]:
            del sys.modules[name]
        sys.modules["matplotlib"] = None
        import skbackprop
        X, y = [[0.0], [1.0]] * 8, [0, 1] * 8
        net = skbackprop.BackpropClassifier((4,), solver="lbfgs").fit(X, y)
        for name in {[display.__name__ for display in DISPLAYS]}:
            try:
                getattr(skbackprop, name).from_estimator(net)
            except ImportError as error:
                print(error)
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    for display, line in zip(DISPLAYS, lines, strict=True):
        assert line.startswith(f"{display.__name__} requires matplotlib")
        assert "`plot`" in line
        assert "pip install" in line


def test_displays_can_be_created_from_arrays():
    display = LossCurveDisplay(loss=[3.0, 2.0, 1.0], best_epoch=2).plot()
    assert_line_data(display.best_, [2], [2.0])
    flow = GradientFlowDisplay(norms=[[1.0, 2.0], [3.0, 4.0]]).plot()
    assert_line_data(flow.lines_[1], [1, 2], [2.0, 4.0])
    weights = WeightsDisplay(images=[[[1.0, -2.0]]]).plot()
    np.testing.assert_array_equal(weights.image_.get_array(), [[1.0, -2.0]])
