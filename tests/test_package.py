"""`history_`, imports of the package, and completeness of the docstrings."""

import inspect
import re
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import pytest
from small_fits import ignore_convergence_warning
from small_networks import ESTIMATORS, X, small, to_dataframe

import skbackprop
from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop.core.optimizers import OPTIMIZERS

PACKAGE = Path(skbackprop.__file__).parent

# ------------------------------------------------------------------- history


@pytest.mark.parametrize("solver", ["lbfgs", *OPTIMIZERS])
@pytest.mark.parametrize("early_stopping", [False, True])
@ESTIMATORS
def test_history_has_one_row_per_epoch(make, y, solver, early_stopping):
    # With a larger `tol`, L-BFGS stops after five iterations or fewer.
    params = {"tol": 1e-3} if solver == "lbfgs" else {}
    estimator = small(make, solver=solver, early_stopping=early_stopping, **params)
    history = estimator.fit(X, y).history_
    assert len(history) > 5
    assert list(history.columns) == [
        "loss",
        "validation_loss",
        "validation_score",
        "learning_rate",
        "seconds",
    ]
    assert list(history.index) == list(range(1, estimator.n_iter_ + 1))
    assert {str(dtype) for dtype in history.dtypes} == {"float64"}
    assert history["loss"].tolist() == estimator.loss_curve_
    assert history[["loss", "seconds"]].notna().all(axis=None)
    assert (history["seconds"] > 0).all()
    validation = history[["validation_loss", "validation_score"]]
    if early_stopping:
        assert validation.notna().all(axis=None)
        assert history["validation_score"].tolist() == estimator.validation_scores_
    else:
        assert validation.isna().all(axis=None)
    assert history["learning_rate"].isna().all() == (solver == "lbfgs")


@ESTIMATORS
@ignore_convergence_warning
def test_history_without_epochs_has_same_columns(make, y):
    # With this `tol`, L-BFGS stops before the first iteration.
    empty = small(make, solver="lbfgs", tol=1e9).fit(X, y).history_
    full = small(make).fit(X, y).history_
    assert len(empty) == 0
    assert empty.columns.equals(full.columns)
    assert empty.dtypes.equals(full.dtypes)


@ESTIMATORS
def test_history_continues_after_partial_fit_and_warm_start(make, y):
    estimator = small(make, warm_start=True).fit(X, y)
    n_epochs = estimator.n_iter_
    estimator.partial_fit(X, y)
    assert len(estimator.history_) == n_epochs + 1
    estimator.fit(X, y)
    assert len(estimator.history_) == n_epochs + 1 + estimator.n_iter_


@ESTIMATORS
def test_editing_history_does_not_change_estimator(make, y):
    estimator = small(make).fit(X, y)
    before, history = estimator.loss_curve_, estimator.history_
    history["loss"] = 0.0
    estimator.loss_curve_.clear()
    assert estimator.loss_curve_ == before


# ------------------------------------------------------------------- imports


def run_python(code):
    """Run code in a new interpreter that can import skbackprop."""
    preamble = f"import sys\nsys.path.insert(0, {str(PACKAGE.parent)!r})\n"
    done = subprocess.run(
        [sys.executable, "-c", preamble + textwrap.dedent(code)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_fit_and_predict_do_not_require_pandas_or_matplotlib():
    run_python("""
        class MissingModules:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in ("pandas", "matplotlib", "polars"):
                    raise ModuleNotFoundError(f"No module named {name!r}", name=name)

        sys.meta_path.insert(0, MissingModules())
        from skbackprop import BackpropClassifier
        X, y = [[0.0], [1.0]] * 8, ["no", "yes"] * 8
        net = BackpropClassifier((4,), solver="lbfgs", random_state=0).fit(X, y)
        assert net.predict([[0.0], [1.0]]).tolist() == ["no", "yes"]
    """)


def test_importing_the_package_does_not_import_pandas_or_matplotlib():
    # scikit-learn itself may import these libraries.
    run_python("""
        import sklearn.metrics, sklearn.model_selection
        before = {"pandas", "matplotlib"} & set(sys.modules)
        import skbackprop
        assert {"pandas", "matplotlib"} & set(sys.modules) == before
    """)


def test_core_does_not_require_scikit_learn():
    run_python(f"""
        import importlib, types
        for absent in ("sklearn", "pandas", "joblib", "matplotlib"):
            sys.modules[absent] = None
        # Import only the core, without the imports of the package itself.
        sys.modules["skbackprop"] = package = types.ModuleType("skbackprop")
        package.__path__ = [{str(PACKAGE)!r}]
        for name in {sorted(p.stem for p in (PACKAGE / "core").glob("[a-z]*.py"))}:
            importlib.import_module(f"skbackprop.core.{{name}}")
        assert "skbackprop._estimators.base" not in sys.modules

        import numpy as np
        from skbackprop.core.activations import Identity, Tanh
        from skbackprop.core.initializers import GlorotUniform
        from skbackprop.core.network import Network
        network = Network((3, 5, 2), (Tanh(), Identity()), np.float64)
        network.initialize(np.random.RandomState(0), [GlorotUniform()] * 2)
        assert network.predict(np.ones((4, 3))).shape == (4, 2)
    """)


# ------------------------------------------------------------- documentation


def documented(cls, section):
    """Return the names that a section of a class docstring describes, in order."""
    parts = re.split(r"^(\w[\w ]*)\n-+\n", inspect.getdoc(cls), flags=re.MULTILINE)
    text = dict(zip(parts[1::2], parts[2::2], strict=True)).get(section, "")
    entries = re.findall(r"^(\w+(?:, \w+)*) : \S", text, flags=re.MULTILINE)
    return [name for entry in entries for name in entry.split(", ")]


def fitted_attributes(estimator):
    return {
        name
        for name in dir(estimator)
        if name.endswith("_") and not name.startswith("_") and hasattr(estimator, name)
    }


@pytest.mark.parametrize("cls", [BackpropClassifier, BackpropRegressor])
def test_every_parameter_is_documented_in_the_order_of_the_signature(cls):
    assert documented(cls, "Parameters") == list(inspect.signature(cls).parameters)


@ESTIMATORS
def test_every_fitted_attribute_is_documented(make, y):
    fitted = small(make).fit(to_dataframe(), y)
    assert set(documented(make, "Attributes")) == fitted_attributes(fitted)


@pytest.mark.parametrize("cls", [BackpropClassifier, BackpropRegressor])
def test_every_parameter_of_a_public_method_is_documented(cls):
    methods = ("fit", "partial_fit", "predict", "predict_proba", "predict_log_proba")
    for name in methods:
        # Inspect the class, because instances lack partial_fit with some solvers.
        method = getattr(cls, name, None)
        if method is None:
            assert cls is BackpropRegressor
            continue
        parameters = list(inspect.signature(method).parameters)[1:]
        assert documented(method, "Parameters") == parameters


@pytest.mark.parametrize("cls", [BackpropClassifier, BackpropRegressor])
def test_every_parameter_has_a_constraint(cls):
    assert cls._parameter_constraints.keys() >= inspect.signature(cls).parameters.keys()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cls()._validate_params()
