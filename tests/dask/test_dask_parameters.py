"""Parameters of the Dask estimators and of `fit`, and their clients."""

import pickle
from inspect import signature

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone

pytest.importorskip("distributed")

from distributed import Client
from partitioned_data import NUMBERS, THREE, WEIGHT, X
from single_process import assert_same, fit_plain
from small_dask_fits import (
    CLUSTER_TESTS,
    ESTIMATORS,
    SYNCS,
    assert_same_predictions,
    classifier,
    regressor,
    to_dask,
    to_dask_dataframe,
)

from skbackprop import Activation, BackpropClassifier
from skbackprop.dask import DaskBackpropRegressor

pytestmark = CLUSTER_TESTS


@ESTIMATORS
def test_constructor_parameters(plain, make, y):
    plain_defaults = {n: p.default for n, p in signature(plain).parameters.items()}
    dask_defaults = {n: p.default for n, p in signature(make).parameters.items()}
    assert dask_defaults == {**plain_defaults, "sync": "step", "client": None}
    assert make().get_params() == {
        **plain().get_params(),
        "sync": "step",
        "client": None,
    }
    assert [p.kind for p in signature(plain).parameters.values()] == [
        p.kind for p in list(signature(make).parameters.values())[:-2]
    ]
    assert make((3, 4)).hidden_layer_sizes == (3, 4)
    with pytest.raises(TypeError, match=make.__name__ + r".*'no_such_parameter'"):
        make(no_such_parameter=1)


def test_set_params_clone_and_repr(client):
    net = classifier(client=client)
    assert net.set_params(alpha=0.5, sync="epoch") is net
    assert net.get_params()["alpha"] == 0.5
    with pytest.raises(ValueError, match="Invalid parameter"):
        net.set_params(no_such_parameter=1)
    net.fit(to_dask(X), to_dask(THREE))
    copied = clone(net)
    assert copied.client is client
    assert copied.get_params() == net.get_params()
    assert not hasattr(copied, "coefs_")
    assert repr(DaskBackpropRegressor((3,), sync="epoch")) == (
        "DaskBackpropRegressor(hidden_layer_sizes=(3,), sync='epoch')"
    )
    assert "alpha=0.5" in repr(net)


def test_clone_keeps_metadata_requests():
    with config_context(enable_metadata_routing=True):
        net = classifier().set_fit_request(sample_weight=True)
        requests = clone(net).get_metadata_routing().fit.requests
    assert requests["sample_weight"] is True


def test_invalid_client_raises(client):
    with pytest.raises(TypeError, match=r"client must be a distributed.Client or None"):
        classifier(client=client.scheduler.address).fit(to_dask(X), to_dask(THREE))


def test_pickle_does_not_store_client(client):
    net = classifier(client=client).fit(to_dask(X), to_dask(THREE))
    again = pickle.loads(pickle.dumps(net))
    assert again.client is None
    assert net.client is client
    np.testing.assert_array_equal(again.coefs_[0], net.coefs_[0])
    assert_same_predictions(
        again.predict(to_dask(X)).compute(), net.to_local().predict(X)
    )
    assert_same(net, again.fit(to_dask(X), to_dask(THREE)), rtol=1e-12)


def test_given_client_is_used(client):
    with Client(client.scheduler.address, set_as_default=False) as other:
        data = other.persist([to_dask(X), to_dask(THREE)])
        net = classifier(client=other).fit(*data)
        expected = fit_plain(BackpropClassifier, X, THREE)
        assert_same(expected, net)
        assert net.score(*data) == expected.score(X, THREE)


@SYNCS
def test_verbose_prints_one_line_per_epoch(client, capsys, params):
    classifier(verbose=True, **params).fit(to_dask(X), to_dask(THREE))
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if "oss" in line]) >= 3


@pytest.mark.parametrize("kind", ["memory", "dask", "frame"])
def test_types_of_validation_data(client, kind):
    frame = pd.DataFrame(X, columns=list("abcde"))
    val = (X[:30], THREE[:30], WEIGHT[:30])
    params = {"early_stopping": True, "max_iter": 6, "n_iter_no_change": 2}
    data = to_dask(X), to_dask(THREE)
    val_in_memory = val
    if kind == "dask":
        val = [to_dask(array, (20, 10)) for array in val]
    if kind == "frame":
        data = to_dask_dataframe(frame), to_dask(THREE)
        val = (
            to_dask_dataframe(frame[:30], (20, 10)),
            to_dask(val[1], [30]),
            WEIGHT[:30],
        )
    net = classifier(**params).fit(*data, None, *val)
    inputs = X if kind != "frame" else frame
    val_in_memory = (inputs[:30], *val_in_memory[1:])
    expected = fit_plain(
        BackpropClassifier, inputs, THREE, validation=val_in_memory, **params
    )
    assert_same(expected, net)
    assert net.best_validation_score_ == pytest.approx(expected.best_validation_score_)


def test_warm_start_continues_from_previous_fit(client):
    net = regressor(warm_start=True).fit(to_dask(X), to_dask(NUMBERS))
    first = net.loss_
    net.fit(to_dask(X), to_dask(NUMBERS))
    assert len(net.history_) == 6
    assert net.n_iter_ == 3
    assert net.loss_ < first
    with pytest.raises(ValueError, match="features"):
        net.fit(to_dask(X[:, :3]), to_dask(NUMBERS))
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        net.set_params(hidden_layer_sizes=(3,)).fit(to_dask(X), to_dask(NUMBERS))


def test_custom_activation_is_sent_to_workers(client):
    class Cube(Activation):
        def forward(self, z, out):
            np.multiply(z, z * z, out=out)

        def backward(self, delta, a, z, scratch):
            delta *= 3.0 * z * z

    params = {"activation": Cube(), "learning_rate_init": 1e-3}
    net = classifier(**params).fit(to_dask(X), to_dask(THREE))
    assert_same(fit_plain(BackpropClassifier, X, THREE, **params), net)
    assert_same_predictions(
        net.predict(to_dask(X)).compute(), net.to_local().predict(X)
    )


def test_module_missing_on_workers_is_named(client, tmp_path, monkeypatch):
    monkeypatch.setattr("skbackprop.dask.shards.LOSS_TIMEOUT", 0.5)  # no worker is lost
    (tmp_path / "only_here.py").write_text(
        "import numpy as np\n\n\n"
        "def double(z):\n    return 2.0 * z, np.full_like(z, 2.0)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import only_here

    with pytest.raises(Exception, match="only_here"):
        classifier(activation=only_here.double).fit(to_dask(X), to_dask(THREE))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"sync": "never"}, "'sync' parameter of DaskBackpropClassifier"),
        ({"solver": "adm"}, "Did you mean 'adam'"),
        (
            {"sync": "epoch", "solver": "lbfgs"},
            "sync='epoch' is not supported with solver='lbfgs'",
        ),
        (
            {"solver": "lbfgs", "dropout": 0.5},
            "dropout=0.5 is not supported with solver='lbfgs'",
        ),
        ({"early_stopping": True}, "early_stopping=True requires X_val and y_val"),
    ],
)
def test_invalid_parameters_raise(client, params, message):
    with pytest.raises(ValueError, match=message):
        classifier(**params).fit(to_dask(X), to_dask(THREE))


def test_invalid_validation_data_raise(client):
    data = to_dask(X), to_dask(THREE)
    with pytest.raises(ValueError, match="y_val is missing"):
        classifier().fit(*data, X_val=X)
    with pytest.raises(
        ValueError, match="In X_val, y_val or sample_weight_val: X has 2"
    ):
        classifier().fit(*data, X_val=X[:, :2], y_val=THREE)


def test_too_large_batch_size_warns(client):
    with pytest.warns(UserWarning, match="going to be clipped"):
        net = classifier(batch_size=1000).fit(to_dask(X), to_dask(THREE))
    assert net.to_local()._state.n_updates == 3


def test_missing_client_raises(monkeypatch):
    def none():
        raise ValueError("No clients found")

    monkeypatch.setattr("skbackprop.dask.base.default_client", none)
    with pytest.raises(ValueError, match="No Dask client found"):
        classifier().fit(to_dask(X), to_dask(THREE))
