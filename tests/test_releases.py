"""Files of earlier releases can be loaded: ensembles, checkpoints and ONNX graphs.

`tests/releases` has one folder per release. Each folder contains files that this
release wrote with `write_release_files`. Before a new release, run this function once,
by hand, in `tests`. Never run the function again for the same release. ::

    python -c "import test_releases; test_releases.write_release_files()"

`tests/stored` contains files of networks; see `test_persistence.py`.
"""

import contextlib
import json
import pickle
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from small_fits import ignore_convergence_warning

import skbackprop
from skbackprop import (
    BackpropClassifier,
    BackpropEnsembleClassifier,
    BackpropEnsembleRegressor,
    BackpropRegressor,
    Checkpoint,
    EpochEndCallback,
)

RELEASES = Path(__file__).with_name("releases")
FOLDERS = sorted(RELEASES.iterdir())
pytestmark = ignore_convergence_warning

#: The rows are exact fractions, so that checkpoints recognize them on every machine.
X = (np.arange(120).reshape(40, 3) * [7, 11, 13] % 17 - 8) / 8.0
Y = X @ [1.0, -2.0, 0.5]
LABELS = np.where(Y > 0, "yes", "no")
TABLE = pd.DataFrame(X, columns=["a", "b", "c"]).assign(
    color=pd.Categorical(np.where(X[:, 0] > 0, "red", "blue"))
)


def make_ensemble(estimator_class, network_class):
    """Return a small ensemble with bins."""
    member = network_class((3,), n_bins=4, max_iter=5, random_state=0)
    return estimator_class(member, cv=3, random_state=0)


#: Options of compressed skops files.
DEFLATED = {"compression": zipfile.ZIP_DEFLATED, "compresslevel": 9}


class KilledError(Exception):
    """Ends a fit before its last epoch."""


def make_checkpointed(path, last_epoch):
    """Return a network that writes checkpoints, and is killed after an epoch."""

    def kill(net, epoch):
        if net.n_iter_ == last_epoch:
            raise KilledError

    net = BackpropClassifier((3,), dropout=0.2, max_iter=6, random_state=0)
    return net.set_callbacks(Checkpoint(path, every=2), EpochEndCallback(kill))


ENSEMBLES = {
    "ensemble_classifier": (
        make_ensemble(BackpropEnsembleClassifier, BackpropClassifier),
        LABELS,
        BackpropEnsembleClassifier.predict_proba,
    ),
    "ensemble_regressor": (
        make_ensemble(BackpropEnsembleRegressor, BackpropRegressor),
        Y,
        BackpropEnsembleRegressor.predict_interval,
    ),
}


def write_release_files():
    """Write the files of this release."""
    import skops.io

    from skbackprop.onnx import to_onnx

    folder = RELEASES / skbackprop.__version__
    folder.mkdir(parents=True)  # Raise an error if the files already exist.
    outputs = {}
    for name, (ensemble, y, predict) in ENSEMBLES.items():
        ensemble.fit(TABLE, y)
        path = folder / name
        path.with_suffix(".pickle").write_bytes(pickle.dumps(ensemble, protocol=4))
        joblib.dump(ensemble, path.with_suffix(".joblib"), compress=9)
        skops.io.dump(ensemble, path.with_suffix(".skops"), **DEFLATED)
        outputs[name] = predict(ensemble, TABLE).tolist()
    (folder / "outputs.json").write_text(json.dumps(outputs) + "\n", "utf-8")
    graph = to_onnx(ENSEMBLES["ensemble_classifier"][0], TABLE)
    (folder / "ensemble_classifier.onnx").write_bytes(graph.SerializeToString())
    with contextlib.suppress(KilledError):
        make_checkpointed(folder / "fit.checkpoint", last_epoch=4).fit(X, LABELS)


def read_outputs(folder, name):
    """Return the predictions of a release."""
    return json.loads((folder / "outputs.json").read_text("utf-8"))[name]


def test_this_release_has_stored_files():
    assert skbackprop.__version__ in {folder.name for folder in FOLDERS}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
@pytest.mark.parametrize("name", ENSEMBLES)
@pytest.mark.parametrize("kind", ["pickle", "joblib", "skops"])
def test_ensemble_of_each_release_predicts_as_before(folder, name, kind):
    if kind == "skops":
        pytest.importorskip("skops")
    ensemble = skbackprop.load(folder / f"{name}.{kind}", allow_pickle=kind != "skops")
    predict = ENSEMBLES[name][2]
    np.testing.assert_allclose(
        predict(ensemble, TABLE), read_outputs(folder, name), rtol=1e-6
    )


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_graph_of_each_release_predicts_as_before(folder):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(folder / "ensemble_classifier.onnx")
    columns = {name: TABLE[[name]].to_numpy() for name in TABLE}
    columns["color"] = columns["color"].astype(object)
    (found,) = session.run(["probabilities"], columns)
    np.testing.assert_allclose(
        found, read_outputs(folder, "ensemble_classifier"), atol=1e-5
    )


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_checkpoint_of_each_release_can_be_resumed(folder, tmp_path):
    pytest.importorskip("sklearn.callback")
    path = tmp_path / "checkpoint"
    path.write_bytes((folder / "fit.checkpoint").read_bytes())  # resume writes to it
    resumed = Checkpoint.resume(path, X, LABELS)
    uninterrupted = make_checkpointed(tmp_path / "other", last_epoch=None).fit(
        X, LABELS
    )
    assert resumed.n_iter_ == uninterrupted.n_iter_ == 6
    for W, expected in zip(resumed.coefs_, uninterrupted.coefs_):
        np.testing.assert_allclose(W, expected, rtol=1e-6)
