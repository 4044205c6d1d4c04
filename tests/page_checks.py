"""Checks of the variables and of the printed output of the documentation pages."""

import re
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning


def check_readme(names, printed):
    oof_score, score, rounding, test_score = map(float, printed.split()[:4])
    assert oof_score > 0.96
    assert score > 0.96
    assert rounding < 1e-9
    assert test_score > 0.9


def check_install(names, printed):
    assert float(printed) > 0.95


def check_start(names, printed):
    assert names["net"].score(names["X_test"], names["y_test"]) > 0.95
    assert names["model"].score(names["customers"], names["bought"]) > 0.95
    assert names["ensemble"].oof_score_ > 0.95
    assert names["search"].score(names["X_test"], names["y_test"]) > 0.9


def check_migrating(names, printed):
    mlp, net = map(float, re.findall(r"test accuracy (\S+)", printed))
    assert net > mlp + 0.02
    differences = re.findall(r"difference of the weights: (\S+)", printed)
    assert len(differences) == 2
    assert all(float(difference) < 1e-9 for difference in differences)
    for mlp_epochs, net_epochs in re.findall(r"epochs: (\d+) (\d+)", printed):
        assert mlp_epochs == net_epochs
    assert "equal predictions: True" in printed
    assert "MLPClassifier: n_iter_=1, " in printed
    chunks, single = names["chunks"], names["single"]
    assert chunks.n_iter_ == 3
    np.testing.assert_allclose(chunks.coefs_[0], single.coefs_[0], rtol=1e-9)


def check_from_pytorch(names, printed):
    scores = re.findall(r"test accuracy: (\S+)", printed)
    assert len(scores) == 2
    assert min(map(float, scores)) > 0.93
    logits = names["copied"].decision_function(names["X"])
    np.testing.assert_allclose(logits, names["logits"], rtol=1e-9)


def check_backpropagation(names, printed):
    descent = names["descent"]
    np.testing.assert_allclose(descent["x"], 2.0 + 6.0 * 0.8**descent.index)
    for expected, computed in zip(names["expected"], names["computed"]):
        np.testing.assert_allclose(computed, expected, rtol=1e-9)
    assert names["classic"].score(names["X_test"], names["y_test"]) > 0.9
    networks = names["networks"]
    ratio = {
        k: net.gradient_norms_[0, 0] / net.gradient_norms_[0, -1]
        for k, net in networks.items()
    }
    assert ratio["sigmoid"] < 1e-6
    assert ratio["relu"] > 0.1
    images, labels = names["images"], names["labels"]
    assert networks["sigmoid"].score(images, labels) < 0.2
    assert networks["relu"].score(images, labels) > 0.95


def check_multi_output(names, printed):
    X, Y = names["X_test"], names["Y_test"]
    classifier, ensemble = names["classifier"], names["ensemble"]
    assert classifier.n_outputs_ == 4
    for model in (classifier, ensemble):
        for method in ("predict", "predict_proba", "decision_function"):
            assert getattr(model, method)(X).shape == Y.shape
    subset_accuracy, accuracy = re.findall(r"accuracy\D*: (\S+)\n", printed)[:2]
    assert float(subset_accuracy) < float(accuracy) - 0.2
    sums = names["probabilities"].sum(axis=1)
    assert np.ptp(sums) > 0.5
    assert names["regressor"].score(names["A_test"], names["T_test"]) > 0.95
    # Pressure dominates the loss of targets that are not scaled.
    assert names["unscaled_scores"][0] < names["scores"][0] - 0.2
    assert "Multioutput target data is not supported" in printed
    assert len(names["separate"].estimators_) == 2


def check_columns(names, printed):
    X, y = names["X"][400:], names["y"][400:]
    assert names["classifier"].score(X, y) > 0.95
    assert names["from_codes"].score(names["codes"][400:], y) > 0.95
    assert names["network"].score(names["frame"][400:], y) > 0.95
    assert "neither numeric nor categorical: 'region'" in printed
    assert "X contains dates or durations in 1 column(s): 'day'" in printed


def check_scaling(names, printed):
    accuracy = {
        name: float(value) for name, value in re.findall(r"(\w+): (\d\.\d+)\n", printed)
    }
    assert accuracy["BackpropClassifier"] > accuracy["MLPClassifier"]
    r2 = [float(value) for value in re.findall(r"R2 (\d\.\d+)", printed)]
    assert r2 == sorted(r2)
    assert r2[0] < 0.2
    assert r2[-1] > 0.7
    assert "'exp' cannot predict all targets" in printed


def check_class_weights(names, printed):
    scores = names["scores"]
    for name in ("recall", "balanced accuracy", "mean probability"):
        assert scores[name].is_monotonic_increasing
    for name in ("precision", "accuracy"):
        assert scores[name].is_monotonic_decreasing
    threshold, tuned = re.search(
        r"threshold: (\S+)\nbalanced accuracy: (\S+)", printed
    ).groups()
    assert float(threshold) < 0.3
    assert float(tuned) > scores.loc["None", "balanced accuracy"] + 0.1
    equal, weighted = re.findall(r"mean error (\S+)", printed)
    assert float(weighted) < float(equal) / 2
    assert names["difference"] < 1e-9


def check_early_stopping(names, printed):
    X_test, y_test = names["X_test"], names["y_test"]
    losses = [
        -np.log(net.predict_proba(X_test)[np.arange(len(y_test)), y_test]).mean()
        for net in (names["stopped"], names["converged"])
    ]
    assert losses[0] < losses[1] / 2
    assert names["stopped"].n_iter_ < names["converged"].n_iter_
    validation_loss = names["monitored"].history_["validation_loss"]
    assert validation_loss.iloc[-1] > 1.5 * validation_loss.min()
    assert "training samples per epoch: 1000" in printed
    assert "inputs of the network: 231" in printed
    assert "epochs: 20 20 20\nsame weights: True" in printed


def check_losses(names, printed):
    deviance = names["counts"]["Poisson deviance"]
    assert deviance["poisson"] < deviance.drop("poisson").min()
    smallest = names["counts"]["smallest prediction"]
    assert smallest["squared_error"] < 0 < smallest.drop("squared_error").min()
    classes = names["classes"]
    assert classes["output activation"].tolist() == ["logistic", "softmax"]
    assert (
        classes.loc["log_loss", "log-loss"] < classes.loc["squared_error", "log-loss"]
    )
    errors = names["errors"]
    assert (errors["absolute_error"] < errors["huber"]).all()
    assert (errors["huber"] < errors["squared_error"] / 2).all()
    ratio = re.search(r"predicted counts / observed counts: (\S+)", printed)[1]
    assert 0.9 < float(ratio) < 1.1
    np.testing.assert_allclose(names["predicted"].sum(axis=1), 1)
    assert "output_activation='relu' is not supported with loss='poisson'" in printed
    # The tables contain all losses and their default output activations.
    X, y, table = names["X"][:50], names["y"][:50], {}
    for loss in ("squared_error", "absolute_error", "huber", "quantile", "poisson"):
        net = names["BackpropRegressor"](loss=loss, max_iter=1)
        table[loss] = net.fit(X, y).out_activation_
    net = names["BackpropRegressor"](loss="quantile", quantile=[0.1, 0.9], max_iter=1)
    table["quantiles"] = net.fit(X, y).out_activation_
    for n_classes in (2, 3):
        net = names["BackpropClassifier"](loss="log_loss", max_iter=1)
        table[n_classes] = net.fit(X, np.arange(50) % n_classes).out_activation_
    assert list(table.values()) == [
        *["identity"] * 4,
        "exp",
        "increasing",
        "logistic",
        "softmax",
    ]


def check_learning_rates(names, printed):
    last_losses = names["losses"].iloc[-1]
    assert last_losses["cosine"] < last_losses["constant"]
    assert last_losses["one_cycle"] < last_losses["constant"]
    without, with_warmup = names["results"][0], names["results"][50]
    assert with_warmup["loss, epoch 1"] < without["loss, epoch 1"] / 10
    assert with_warmup["R²"] > without["R²"]
    assert "Training diverged in epoch" in printed
    assert names["net"].clip_norm is not None
    assert names["net"].score(names["X_val"], names["y_val"]) > 0.9


def check_regularization(names, printed):
    losses = {name: row["test log-loss"] for name, row in names["results"].items()}
    baseline = losses.pop("no regularization")
    assert len(losses) == 6
    assert max(losses.values()) < 0.7 * baseline
    magnitudes = names["magnitudes"][1.0]
    assert magnitudes["noise features"] < magnitudes["informative features"] / 3
    assert printed.count("maximum norm 0.5") == 3


def check_initialization(names, printed):
    results = names["results"]
    assert results["he_normal"]["ratio of gradient norms"] > 0.1
    assert results["auto"]["ratio of gradient norms"] < 0.01
    assert results["he_normal"]["training loss"] < results["auto"]["training loss"]
    predictions = names["predictions"]
    errors = predictions.sub(predictions["exact"], axis=0).abs().max()
    assert errors["he_uniform"] < errors["auto"]
    assert names["second"].loss_curve_[0] < 1.1 * names["first"].loss_
    assert "epochs of the last fit: 30 - epochs in total: 50" in printed
    first, second = re.findall(r"(?:first|second) fit: (\S+)", printed)
    assert first == second


def check_monitoring(names, printed):
    assert printed.startswith("Iteration 1, loss = ")
    networks = names["networks"]
    assert networks["sigmoid"].gradient_norms_.shape == (40, 9)
    first, *_, last = networks["sigmoid"].gradient_norms_[0]
    assert first < last / 1000
    first, *_, last = networks["relu"].gradient_norms_[0]
    assert first > last / 10
    assert "The network has not improved on a constant prediction" in printed


def check_callbacks(names, printed):
    assert "epoch 40: validation loss" in printed
    assert printed.count("BackpropClassifier - fit #") >= 8
    assert "stopped before max_iter: True" in printed
    assert names["history"]["fit"].nunique() == 5
    assert "simulated crash\nepochs: 60\nidentical: True" in printed
    assert "logged epochs: 20" in printed
    assert list(names["snapshots"].networks) == [5, 10, 15, 20]


def check_reproducibility(names, printed):
    results = names["results"]
    assert results["int"][0] == results["int"][1] == results["RandomState instance"][0]
    for name in ("None", "RandomState instance"):
        first, second = results[name]
        assert first != second
    first, second = (copy.predict(names["X"]) for copy in names["copies"])
    np.testing.assert_array_equal(first, second)
    scores = re.findall(r"random_state=(\w+): R² (\S+)", printed)
    assert scores[0] != scores[1]
    assert scores[2] == scores[3]
    differences = names["differences"]
    assert differences.iloc[0] < 1e-3
    assert differences.iloc[-1] >= differences.iloc[0]
    assert names["table"].to_numpy().min() > 0.3
    assert names["ensemble"].oof_score_ > 0.4


def check_ensembles(names, printed):
    test_score, oof_score = (
        float(value) for value in re.findall(r"accuracy: (\S+)\n", printed)[:2]
    )
    assert min(test_score, oof_score) > 0.96
    ensemble_loss, member_loss = re.findall(r"log-loss of the \w+: (\S+)", printed)
    assert float(ensemble_loss) < float(member_loss)
    assert names["search"].best_score_ > 0.95
    coverage = re.search(r"coverage of the test data: (\S+)%", printed)[1]
    assert 85 < float(coverage) < 96


def check_intervals(names, printed):
    summaries = names["summaries"]
    coverage = summaries["coverage"]
    assert coverage["single network, quantiles"] < 0.88
    assert coverage["ensemble, mean"] > 0.88
    assert coverage["ensemble, quantiles"] > 0.87
    difference = summaries["|x| <= 2"] - summaries["|x| > 2"]
    assert difference["ensemble, mean"] > 0.1
    assert abs(difference["ensemble, quantiles"]) < 0.08
    assert 0.85 < names["coverages"].mean() < 0.97


def check_inspection(names, printed):
    assert names["clf"].score(names["X_test"], names["y_test"]) > 0.95
    assert names["mean_effects"][0].idxmax() == "proline"
    missing = names["test"]["income"].isna()
    gradients = names["shop_gradients"]
    assert gradients["city"].isna().all()
    assert gradients["income"].isna().equals(missing)
    importance = names["table"]["mean"]
    assert importance["day"] < 0.02 < importance.drop("day").min()
    averages = [results["average"][0] for results in names["display"].pd_results]
    assert (np.diff(averages[0]) > 0).all()
    assert (np.diff(averages[1]) > 0).all()
    assert averages[2].argmax() == 2


def check_weights(names, printed):
    differences = re.findall(r"maximum difference.*: (\S+)", printed)
    assert len(differences) == 3
    assert all(float(difference) < 1e-12 for difference in differences)
    assert "same labels: True" in printed
    assert "same predictions: True" in printed
    before, after = re.findall(r"R2 score .*: (\S+)", printed)
    assert float(after) > float(before) - 0.05
    X, y = names["scaler"].transform(names["X_wine"]), names["y_wine"]
    assert all(client.score(X, y) > 0.97 for client in names["clients"])


def check_embedded(names, printed):
    differences = re.findall(r"maximum difference.*: (\S+)", printed)
    limits = 1e-5, 1e-2, 1e-4
    assert all(float(d) < limit for d, limit in zip(differences, limits, strict=True))
    assert "equal labels: 100.0%" in printed
    # The page lists more activations and losses than its examples use.
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    classes = np.digitize(X[:, 0], [-0.5, 0.5])
    classifiers = [
        (names["BackpropClassifier"]((5,), activation=activation), classes)
        for activation in names["HIDDEN"]
    ]
    binary = names["BackpropClassifier"]((5,), standardize=False), classes > 0
    for i, (network, y) in enumerate([*classifiers, binary]):
        network.set_params(max_iter=5).fit(X, y)
        n_outputs = network.n_outputs_
        header = names["to_header"](network, sum_to_one=n_outputs > 1)
        outputs = names["call"](names["build"](f"{i}", header).predict, X, n_outputs)
        probabilities = network.predict_proba(X)[:, -n_outputs:]
        np.testing.assert_allclose(outputs, probabilities, atol=1e-5)
    for loss in ("huber", "quantile", "poisson"):
        network = names["BackpropRegressor"]((5,), loss=loss, max_iter=5)
        network.fit(X, np.exp(X[:, 0]))
        library = names["build"](loss, names["to_header"](network))
        outputs = names["call"](library.predict, X, 1)[:, 0]
        np.testing.assert_allclose(outputs, network.predict(X), rtol=1e-4, atol=1e-5)


def check_out_of_core(names, printed):
    X, y = names["X_all"], names["y_all"]
    assert names["on_sorted"].score(X, y) < 0.8
    for name in ("classifier", "best_model", "on_files", "model"):
        assert names[name].score(X, y) > 0.93
    # The best pass is `PATIENCE` passes before the last pass.
    losses = [
        float(loss) for loss in re.findall(r"pass \d+: validation loss (\S+)", printed)
    ]
    assert len(losses) < names["MAX_PASSES"]
    assert np.argmin(losses) == len(losses) - 1 - names["PATIENCE"]
    assert names["best_model"].n_iter_ == 9 * (1 + np.argmin(losses))
    assert names["state"]["n_pass"] == names["state"]["best_model"].n_iter_ / 9 == 3
    assert names["regressor"].score(names["X_val"], names["y_val"]) > 0.99
    for W_one, W_five in zip(names["one_fit"].coefs_, names["five_calls"].coefs_):
        np.testing.assert_allclose(W_one, W_five, rtol=1e-9)
    assert names["rates"].max() > 100 * names["rates"].iloc[-1]
    assert names["mapped"].best_validation_score_ > -0.05


def check_saving(names, printed):
    assert "Cannot load 'customers.joblib': the file is a pickle" in printed
    assert "Cannot load 'notes.joblib': the file starts with" in printed
    assert "['no' 'no']" in printed  # printed by the process that loads the file
    assert "Imported: set()" in printed  # the ONNX process has no scikit-learn
    for model in ("pipeline", "search", "ensemble"):
        assert f"{model} True" in printed
    assert printed.count("Same predictions: True") == 2
    assert printed.count("Same weights: True") == 1
    assert printed.count("Same labels: True") == 3
    assert printed.count("Same probabilities: True") == 2
    assert names["types"]
    assert all(name.startswith("sklearn.") for name in names["types"])


def check_serving(names, printed):
    expected = names["net"].predict_proba(names["X_test"])
    np.testing.assert_allclose(names["concurrent"], expected, rtol=1e-12)
    from_graph = names["from_graph"]
    np.testing.assert_allclose(from_graph["probabilities"], expected, atol=1e-5)
    assert from_graph["labels"] == names["net"].predict(names["X_test"]).tolist()
    assert "X has 2 features" in printed
    assert "Each row must have 13 finite numbers" in printed
    assert printed.count("Same reply: True") == 1
    assert printed.count("Same labels: True") == 1
    assert printed.count("Same probabilities: True") == 1


def check_dask(names, printed):
    assert names["score"] > 0.95
    assert names["search"].best_score_ > 0.8
    assert names["ensemble"].oof_score_ > 0.9
    assert "Same predictions: True" in printed
    assert names["client"].status == "closed"
    assert not names["cluster"].workers


def check_custom(names, printed):
    X, truth = names["X"], names["truth"]
    robust, default = (names[k].score(X, truth) for k in ("robust", "default"))
    assert robust > default
    assert robust > 0.9
    below = [int(percent) for percent in re.findall(r"(\d+)% of the targets", printed)]
    assert below == sorted(below)
    sine, relu = map(int, re.findall(r"after (\d+) iterations", printed))
    assert sine < relu
    errors = re.findall(r"^\d\.\de-\d\d$", printed, re.M)
    assert len(errors) == 4
    assert max(map(float, errors)) < 1e-7
    assert "output_activation='Square' cannot predict all targets" in printed
    assert "The gradient of the biases of layer 2 of 2 is wrong" in printed
    assert names["search"].score(X, truth) > 0.9


def check_tuning(names, printed):
    search, X_test, y_test = (names[k] for k in ("search", "X_test", "y_test"))
    assert search.best_params_["n_bins"] is not None
    tuned, default = search.best_estimator_, names["default"]
    assert tuned.score(X_test, y_test) > default.score(X_test, y_test)
    assert names["halving"].n_resources_ == [6, 18, 54]
    states = {trial.state.name for trial in names["study"].trials}
    assert states == {"COMPLETE", "PRUNED"}
    assert "RandomizedSearchCV - search #0" in printed
    # The filters of this process apply in worker processes.
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        with pytest.raises(ConvergenceWarning):
            names["cross_val_score"](
                names["short"], X_test, y_test, n_jobs=2, error_score="raise"
            )


def check_troubleshooting(names, printed):
    printed = " ".join(printed.split())
    for message in (
        "ValueError: Solver produced non-finite parameter weights or outputs.",
        "ConvergenceWarning: Stochastic Optimizer: Maximum iterations (5) reached",
        "ConvergenceWarning: The network has not improved on a constant prediction",
        "ValueError: X has columns that are neither numeric nor categorical: 'city'",
        "ValueError: X contains dates or durations in 1 column(s): 'since'",
        "Got 'adamm' instead. Did you mean 'adam'?",
        "ValueError: dropout=0.2 is not supported with solver='lbfgs'.",
        "ValueError: Cannot load 'model.joblib': the file is a pickle or joblib file",
    ):
        assert message in printed
    assert "active: " in printed
    assert names["deep"].score(*names["load_iris"](return_X_y=True)) > 0.9
    y_rare, rows = names["y_rare"], names["rows"]
    n_rare = y_rare.sum()
    assert rows["class_weight=None"][1] < n_rare / 2
    assert rows["class_weight=balanced"][1] > n_rare


#: Checks of the variables and the printed output of the code of a page.
CHECKS = {
    "README.md": check_readme,
    "docs/install.md": check_install,
    "docs/start.md": check_start,
    "docs/migrating.md": check_migrating,
    "docs/from_pytorch.md": check_from_pytorch,
    "docs/backpropagation.md": check_backpropagation,
    "docs/guide/columns.md": check_columns,
    "docs/guide/scaling.md": check_scaling,
    "docs/guide/class_weights.md": check_class_weights,
    "docs/guide/early_stopping.md": check_early_stopping,
    "docs/guide/losses.md": check_losses,
    "docs/guide/learning_rates.md": check_learning_rates,
    "docs/guide/regularization.md": check_regularization,
    "docs/guide/initialization.md": check_initialization,
    "docs/guide/monitoring.md": check_monitoring,
    "docs/guide/callbacks.md": check_callbacks,
    "docs/guide/ensembles.md": check_ensembles,
    "docs/guide/intervals.md": check_intervals,
    "docs/guide/inspection.md": check_inspection,
    "docs/guide/weights.md": check_weights,
    "docs/guide/embedded.md": check_embedded,
    "docs/guide/out_of_core.md": check_out_of_core,
    "docs/guide/multi_output.md": check_multi_output,
    "docs/guide/reproducibility.md": check_reproducibility,
    "docs/guide/saving.md": check_saving,
    "docs/guide/serving.md": check_serving,
    "docs/guide/tuning.md": check_tuning,
    "docs/troubleshooting.md": check_troubleshooting,
    "docs/guide/dask.md": check_dask,
    "docs/guide/custom.md": check_custom,
}
