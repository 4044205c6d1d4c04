"""Export of estimators, pipelines and searches with `to_onnx`."""

import numpy as np
import skl2onnx
from scipy.sparse import issparse
from sklearn.base import is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
from sklearn.utils.validation import check_is_fitted, validate_data

from .._data.dataframes import is_dataframe
from .._ensembles.classifier import BackpropEnsembleClassifier
from .._ensembles.regressor import BackpropEnsembleRegressor
from .._estimators.classifier import BackpropClassifier
from .._estimators.regressor import BackpropRegressor
from .concat_columns import ConcatColumns, needs_concat
from .input_types import infer_input_types
from .versions import ML_OPSET, TARGET_OPSET, check_target_opset, get_ir_version

#: Estimators that can be exported, alone or in a pipeline or a search.
ESTIMATORS = (
    BackpropClassifier,
    BackpropEnsembleClassifier,
    BackpropEnsembleRegressor,
    BackpropRegressor,
)


def to_onnx(model, X, *, target_opset=TARGET_OPSET, ir_version=None):
    """Export a fitted network, ensemble, pipeline or search to ONNX.

    The graph computes the results of `predict` and `predict_proba` in the precision
    of the network. It includes the preprocessing that the network learned in `fit`:
    scaling, clipping, imputation, bins and the encoding of categories.

    Parameters
    ----------
    model : network, ensemble, Pipeline or search
        The fitted model, one of:

        - a network: BackpropClassifier or BackpropRegressor;
        - an ensemble: BackpropEnsembleClassifier or BackpropEnsembleRegressor. The
          graph averages the predictions of all members;
        - a pipeline that ends in a network or an ensemble, after steps that skl2onnx
          can convert;
        - a search such as :class:`~sklearn.model_selection.GridSearchCV` over one of
          these. The best estimator is exported.

    X : {array-like, DataFrame} of shape (n_samples, n_features)
        Samples that define the names and types of the graph inputs. One row is
        enough. In a DataFrame:

        - columns of dtype "category" become string or float64 inputs, which can
          represent missing values;
        - columns of the pandas dtypes "Int64" and "boolean" become float64;
        - integer columns of polars become float64 only if `X` contains missing values
          in these columns.

    target_opset : int, default=19
        Version of the ONNX operators, from 19 to the latest version tested with the
        installed skl2onnx. More runtimes support older versions.
    ir_version : int or None, default=None
        Version of the file format. None selects the oldest version compatible with
        `target_opset`, which most runtimes can read.

    Returns
    -------
    onnx.ModelProto
        The graph. An array `X` becomes one input "X" of shape (None, n_features). A
        DataFrame becomes one input of shape (None, 1) per column, in column order.

        A classifier has the outputs "label" (int64 or strings) and "probabilities"
        (without a ZipMap). A regressor has the output "variable" of shape
        (None, n_outputs). Probabilities and predictions are float64 if an input is
        float64, and float32 otherwise. A regressor that computes in float64 also
        returns float64 if no input is float32.

    Raises
    ------
    ImportError
        If skl2onnx is not installed. The error is raised when `skbackprop.onnx` is
        imported.
    NotFittedError
        If the model is not fitted.
    TypeError
        If the final estimator is not a network or an ensemble of this package, or if
        `X` is sparse or has columns of types that skl2onnx does not support.
    ValueError
        If the network has a custom activation, if `X` does not match the training
        data, or if a version is not supported.

    See Also
    --------
    skl2onnx.to_onnx : Export other scikit-learn models. After `skbackprop.onnx` is
        imported, it also exports networks and models that contain networks. Its
        defaults are the latest operators and, for classifiers, a ZipMap, which
        supports float32 only. With the option "raw_scores", it exports the values of
        `decision_function`. With two classes, the negated values come first.

    Notes
    -----
    Represent missing numbers as NaN. Represent missing strings as any string that is
    not a category, such as the empty string.

    Unlike `predict`, the graph does not validate its inputs. It applies floating-point
    arithmetic to infinite values, and to missing values that `predict` rejects.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from skbackprop import BackpropClassifier
    >>> from skbackprop.onnx import to_onnx
    >>> X, y = load_iris(return_X_y=True)
    >>> net = BackpropClassifier((8,), solver="lbfgs", random_state=0).fit(X, y)
    >>> exported = to_onnx(net, X)

    ONNX Runtime alone is enough to run the graph:

    >>> import onnxruntime
    >>> session = onnxruntime.InferenceSession(exported.SerializeToString())
    >>> labels, probabilities = session.run(None, {"X": X})
    >>> bool((labels == net.predict(X)).all())
    True
    >>> bool(np.allclose(probabilities, net.predict_proba(X)))
    True
    """
    check_is_fitted(model)
    exported = _without_searches(model)
    network = _last_step(exported)
    _check_is_network(network)
    if issparse(X):
        raise TypeError(
            "Sparse data was passed for X, but dense data is required because ONNX "
            "graphs have dense inputs. Pass a few dense rows, for example "
            "X[:1].toarray()."
        )
    X = X if is_dataframe(X) or hasattr(X, "dtype") else np.asarray(X)
    validate_data(model, X, reset=False, skip_check_array=True)
    check_target_opset(target_opset)
    types = infer_input_types(X)
    if _starts_with_array_step(exported) and needs_concat(types):
        concat = ConcatColumns(X.shape[1])
        exported = Pipeline([("concat_columns", concat), *exported.steps])
    graph = skl2onnx.to_onnx(
        exported,
        initial_types=types,
        options={id(network): {"zipmap": False}} if is_classifier(network) else None,
        target_opset={"": int(target_opset), "ai.onnx.ml": ML_OPSET},
    )
    graph.ir_version = get_ir_version(ir_version, target_opset)
    return graph


def _without_searches(model):
    """Replace each search by its best estimator, also in the steps of a pipeline."""
    if hasattr(model, "best_estimator_"):
        return _without_searches(model.best_estimator_)
    if hasattr(model, "cv_results_"):
        raise NotFittedError(
            f"This {type(model).__name__} instance was initialized with "
            "`refit=False`. to_onnx is available only after refitting on the best "
            "parameters. You can refit an estimator manually using the "
            "`best_params_` attribute."
        )
    if not isinstance(model, Pipeline):
        return model
    steps = [step for step in model.steps if step[1] not in (None, "passthrough")]
    return Pipeline([(name, _without_searches(step)) for name, step in steps])


def _last_step(model):
    return _last_step(model.steps[-1][1]) if isinstance(model, Pipeline) else model


def _first_step(model):
    return _first_step(model.steps[0][1]) if isinstance(model, Pipeline) else model


def _check_is_network(model):
    if type(model) not in ESTIMATORS:
        raise TypeError(
            f"Cannot export {type(model).__name__}: expected a BackpropClassifier or "
            "BackpropRegressor, an ensemble of them, or a pipeline or search that ends "
            "in one. Use skl2onnx.to_onnx for other models, including models that "
            "contain networks. Compare its predictions with those of the model."
        )


def _starts_with_array_step(model):
    """Return whether a pipeline starts with a step that reads one array of floats."""
    return isinstance(model, Pipeline) and not isinstance(
        _first_step(model),
        (*ESTIMATORS, ColumnTransformer, OneHotEncoder, OrdinalEncoder),
    )
