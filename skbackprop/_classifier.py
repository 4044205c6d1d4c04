"""BackpropClassifier: class labels in, labels and probabilities out."""

import numpy as np
from scipy.sparse import csr_matrix, issparse
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import (
    _check_partial_fit_first_call,
    check_classification_targets,
    type_of_target,
    unique_labels,
)
from sklearn.utils.validation import column_or_1d

from ._base import BaseBackprop, is_stochastic
from .core.activations import Softmax
from .core.losses import Loss, losses_for


class BackpropClassifier(ClassifierMixin, BaseBackprop):
    """Neural-network classifier, trained by back-propagation.

    A feed-forward network [1]_ [2]_ of fully connected layers, for two classes
    or more and for several labels at a time. It takes the parameters of
    :class:`sklearn.neural_network.MLPClassifier`, and with ``loss="log_loss"``
    it gives the same numbers.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(100,)
        Units of each hidden layer. ``()`` is a single layer, from the inputs
        straight to the outputs: the one-neuron network, and with ``loss="log_loss"`` it
        is logistic regression.
    activation : str, Activation or sequence of these, default="relu"
        Activation of the hidden layers, or one for each of them: "identity",
        "sigmoid" (or "logistic", its second name), "tanh", "relu", "leaky_relu",
        "elu", "gelu", "silu", "softplus", or an instance of a class derived
        from `skbackprop.Activation`. The slope of "relu" at 0 is taken as 0.
    loss : {"squared_error", "log_loss"} or Loss, default="squared_error"
        "squared_error" is the quadratic cost ``1/(2n) sum ||y - a||^2``, with a
        target of 1 for the output of the right class and 0 for the others;
        "log_loss" the cross-entropy, which MLPClassifier minimises. Or an
        instance of a class derived from `skbackprop.Loss`.
    output_activation : str or Activation, default="auto"
        Activation of the output layer. "auto" follows the loss and the targets:
        "softmax" for "log_loss" with three classes or more; "logistic", that is
        sigmoid, elsewhere, one output a class or label and a single one for two
        classes.
        Any other may be named that can serve the loss: those of `activation`,
        "softmax" and "exp".
    solver : {"adam", "adamw", "rmsprop", "sgd", "lbfgs"}, default="adam"
        How the cost is minimised. "sgd" is stochastic gradient descent, plain
        with ``momentum=0``; "adam" [3]_, "adamw" [4]_ and "rmsprop" [5]_ adapt
        the step of each parameter; "lbfgs" [6]_ uses all samples at once and
        is often best below a few thousand of them.
    alpha : float, default=0.0001
        Strength of the L2 penalty ``alpha / 2 ||W||^2``, divided by the number
        of samples of the batch; biases are not penalised. For "adamw" it is
        the decay instead: ``W`` shrinks by ``learning rate x alpha`` a step.
    batch_size : int or "auto", default="auto"
        Samples of a mini-batch; "auto" is ``min(200, n_samples)``. Not used by
        "lbfgs".
    learning_rate : {"constant", "invscaling", "adaptive"}, default="constant"
        Schedule of the learning rate. "invscaling" divides it by ``(t_ +
        1)**power_t`` after every epoch. "adaptive" divides it by 5 each time
        there was no improvement by `tol` for `n_iter_no_change` epochs, until
        it is at most 1e-6; as improvement is measured against the best loss so
        far, one lucky low loss early can bring the rate down too soon. All
        solvers but "lbfgs" follow it, which refuses any but "constant".
    learning_rate_init : float, default=0.001
        The initial learning rate. Not used by "lbfgs".
    power_t : float, default=0.5
        Exponent of "invscaling".
    max_iter : int, default=200
        Epochs at most; for "lbfgs" iterations.
    shuffle : bool, default=True
        Whether every epoch takes the samples in a new order. Not used by
        "lbfgs".
    random_state : int, RandomState instance or None, default=None
        Where the initial weights, the split for early stopping and the shuffles
        come from. An int gives the same results in every call of `fit`.
    tol : float, default=1e-4
        The least improvement of the loss, or of the score with early stopping,
        that counts. For "lbfgs", training ends when no component of the
        gradient is larger; it also ends, whatever `tol`, when an iteration
        lowers the cost by less than 2.2e-9 of itself.
    verbose : bool or int, default=False
        Whether to print the loss of every epoch.
    warm_start : bool, default=False
        Whether `fit` carries on from the last one: weights, moments of the
        optimiser and shuffles go on as they were, patience starts anew.
    momentum : float, default=0.9
        Momentum of "sgd", between 0 and 1.
    nesterovs_momentum : bool, default=True
        Whether that is Nesterov's. Only for "sgd".
    early_stopping : bool, default=False
        Whether to hold out `validation_fraction` of the samples, to stop when
        their score improves no more, and to put back the weights that were best
        for them in this fit. Also for "lbfgs".
    scoring : "loss", str or callable, default="loss"
        What early stopping watches: the loss of the held-out samples, the name
        of a scikit-learn scorer, or a callable ``scorer(estimator, X, y)``,
        which takes ``sample_weight=`` too where `fit` is given weights.
    validation_fraction : float, default=0.1
        Share of the samples held out, stratified by class where there are
        enough of each.
    beta_1 : float, default=0.9
        Decay of the first moment of "adam" and "adamw", in [0, 1).
    beta_2 : float, default=0.999
        Decay of the second moment of "adam", "adamw" and "rmsprop", in [0, 1).
    epsilon : float, default=1e-8
        Added to the denominator of "adam", "adamw" and "rmsprop".
    n_iter_no_change : int or inf, default=10
        Epochs without improvement after which training ends; more than so
        many.
    max_fun : int, default=15000
        Evaluations of the cost at most. Only for "lbfgs".
    clip_norm : float or None, default=None
        Longest norm of the gradient of a batch: longer ones are shortened to
        it. None leaves them. Not for "lbfgs".
    dtype : {"float32", "float64"} or None, default=None
        Precision of all that is computed, and of what is predicted. `X` may
        have another: it is converted a batch at a time. None is "float32" for
        `X` of float32, else "float64". float32 takes half the memory and about
        half the time on wide networks.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels; the numbers of the columns for a label indicator.
    coefs_ : tuple of ndarray of shape (fan_in, fan_out)
        Weights of each layer. They are views of the network's parameters:
        writing into one changes what is predicted.
    intercepts_ : tuple of ndarray of shape (fan_out,)
        Biases of each layer, views as well.
    loss_ : float
        Loss of the last epoch, the penalty included.
    best_loss_ : float or None
        The least loss of an epoch of the last fit; None with early stopping.
    loss_curve_ : list of float
        Loss of each epoch since the network was made.
    validation_scores_ : list of float or None
        Score of each epoch on the held-out samples (minus their loss with
        ``scoring="loss"``); None without early stopping.
    best_validation_score_ : float or None
        The best of them in the last fit, whose weights are kept.
    history_ : pandas.DataFrame
        A row an epoch: `loss`, `validation_loss`, `validation_score`,
        `learning_rate` and `seconds`.
    n_iter_ : int
        Epochs of the last `fit`, and of each `partial_fit` since.
    t_ : int
        Samples seen by the solver, ``epochs x samples``; 0 under "lbfgs".
    n_layers_ : int
        Layers, the input counted.
    n_outputs_ : int
        Units of the output layer.
    out_activation_ : str
        Name of the output activation.
    n_features_in_ : int
        Features seen during `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where `X` had names that are all strings.

    See Also
    --------
    BackpropRegressor : The same for real-valued targets.
    sklearn.neural_network.MLPClassifier : Its model.

    Notes
    -----
    Sample weights count as repetitions: a mini-batch is divided by its number
    of rows times the mean weight of all samples of this call.

    What a fit used is frozen in the fitted network: `set_params` afterwards
    does not change what it predicts.

    References
    ----------
    .. [1] Rumelhart, Hinton and Williams. "Learning representations by
       back-propagating errors." Nature 323 (1986), 533-536.
    .. [2] Nielsen. "Neural Networks and Deep Learning." Determination Press
       (2015), chapters 1 and 2.
    .. [3] Kingma and Ba. "Adam: a method for stochastic optimization." ICLR
       (2015), algorithm 1.
    .. [4] Loshchilov and Hutter. "Decoupled weight decay regularization." ICLR
       (2019), algorithm 2.
    .. [5] Hinton. "Neural networks for machine learning", lecture 6e (2012).
    .. [6] Byrd, Lu, Nocedal and Zhu. "A limited memory algorithm for bound
       constrained optimization." SIAM J. Sci. Comput. 16 (1995), 1190-1208.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skbackprop import BackpropClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> net = BackpropClassifier((10,), solver="lbfgs", random_state=0)
    >>> model = make_pipeline(StandardScaler(), net).fit(X, y)
    >>> model.predict(X[:3])
    array([0, 0, 0])
    >>> bool(model.score(X, y) > 0.95)
    True
    """

    _parameter_constraints: dict = {
        **BaseBackprop._parameter_constraints,
        "loss": [StrOptions(losses_for("classification")), Loss],
    }
    _default_output_activation = "logistic"

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        loss="squared_error",
        output_activation="auto",
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        scoring="loss",
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
        clip_norm=None,
        dtype=None,
    ):
        super().__init__(
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            loss=loss,
            output_activation=output_activation,
            solver=solver,
            alpha=alpha,
            batch_size=batch_size,
            learning_rate=learning_rate,
            learning_rate_init=learning_rate_init,
            power_t=power_t,
            max_iter=max_iter,
            shuffle=shuffle,
            random_state=random_state,
            tol=tol,
            verbose=verbose,
            warm_start=warm_start,
            momentum=momentum,
            nesterovs_momentum=nesterovs_momentum,
            early_stopping=early_stopping,
            scoring=scoring,
            validation_fraction=validation_fraction,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            n_iter_no_change=n_iter_no_change,
            max_fun=max_fun,
            clip_norm=clip_norm,
            dtype=dtype,
        )

    @available_if(is_stochastic)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None, classes=None):
        """Carry training on by one epoch over the given samples.

        Called K times with the same samples it comes to the same as `fit` with
        ``max_iter=K``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            The class labels, or a label indicator.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, zero or more.
        classes : array-like of shape (n_classes,), default=None
            All classes of all calls, ``np.arange(n_labels)`` for a label
            indicator. Needed in the first call; not all need occur in `y`.

        Returns
        -------
        self : object
            The estimator, trained further.
        """
        return self._partial_fit(X, y, sample_weight, classes)

    def predict(self, X):
        """Predict the class of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            Class labels, or a label indicator of int.
        """
        outputs = self._outputs(X)
        if self._target_kind == "multilabel":
            labels = (outputs > 0.5).astype(int)
            return csr_matrix(labels) if self._sparse_labels else labels
        if self._target_kind == "binary":
            return self.classes_[(outputs[:, 0] > 0.5).astype(int)]
        return self.classes_[outputs.argmax(axis=1)]

    def predict_proba(self, X):
        """Predict the probability of each class.

        Outputs that are not probabilities as they stand (sigmoids with the
        quadratic cost) are divided by their sum over the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns ordered as `classes_`, strictly between 0 and 1. Rows sum to
            one, but not those of a label indicator, where each column is the
            probability of a label of its own.
        """
        probabilities = self._probabilities(self._outputs(X))
        # No network is certain; and logarithms of these remain finite.
        limits = np.finfo(probabilities.dtype)
        return probabilities.clip(limits.tiny, 1.0 - limits.epsneg)

    def _probabilities(self, outputs):
        if self._target_kind == "multilabel":
            return outputs
        if self._target_kind == "binary":
            positive = outputs.clip(0.0, 1.0)
            return np.hstack([1.0 - positive, positive])
        if isinstance(self._architecture.output_activation, Softmax):
            return outputs
        # Activations such as tanh reach below zero: lift their rows to zero.
        outputs -= outputs.min(axis=1, keepdims=True).clip(max=0.0)
        totals = outputs.sum(axis=1, keepdims=True)
        outputs[totals[:, 0] == 0.0] = 1.0
        return outputs / outputs.sum(axis=1, keepdims=True)

    def predict_log_proba(self, X):
        """Predict the logarithm of the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            ``log(predict_proba(X))``.
        """
        return np.log(self.predict_proba(X))

    # ------------------------------------------------------ labels and targets

    def _loss_in_core(self):
        """Return the loss that stands for "log_loss" with these targets."""
        if not isinstance(self.loss, str) or self.loss != "log_loss":
            return self.loss
        if self._target_kind != "multiclass":
            return "binary_log_loss"
        softmax = type(self.output_activation) is Softmax or self.output_activation in (
            "auto",
            "softmax",
        )
        return "log_loss" if softmax else "binary_log_loss"

    def _n_averaged(self, n_outputs):
        return 1

    def _check_output(self, architecture):
        """Refuse to sum to one over labels that do not exclude each other."""
        softmax = isinstance(architecture.output_activation, Softmax)
        if softmax and self._target_kind == "multilabel":
            raise ValueError(
                "output_activation='softmax' is for classes that exclude each other, "
                "got a label indicator; allowed are 'auto' and the other names."
            )

    def _encode(self, y, dtype, carry_on, incremental, classes):
        """Turn labels into targets: a 0 or 1 for each output."""
        check_classification_targets(y)
        if not carry_on:
            self.__dict__.pop("classes_", None)
        if incremental:
            _check_partial_fit_first_call(self, classes)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y.toarray() if issparse(y) else y, warn=True)
        if y.ndim == 2 and type_of_target(y) != "multilabel-indicator":
            raise ValueError(
                "Multioutput target data is not supported with label binarization. "
                "Fit one classifier an output with sklearn.multioutput."
                "MultiOutputClassifier; a label indicator of 0 and 1 is supported."
            )
        if y.ndim == 2 and not np.isin(y.data if issparse(y) else y, (0, 1)).all():
            raise ValueError(
                "y must be 0 or 1 everywhere where it is a label indicator, got "
                f"{np.unique(y.data if issparse(y) else y)}."
            )
        if not carry_on:
            self._settle_classes(y, incremental)
        if carry_on or incremental:
            self._check_classes(y, must_be_all=not incremental)
        return self._targets(y, dtype)

    def _settle_classes(self, y, incremental):
        """Settle, when the network is made, which classes there are."""
        if not incremental:
            self.classes_ = unique_labels(y)
        n_classes = len(self.classes_)
        if y.ndim == 1 and n_classes < 2:
            raise ValueError(
                f"y must have at least two classes, got one class: {self.classes_}. "
                "Pass samples of every class, or all classes to partial_fit."
            )
        several = "multiclass" if n_classes > 2 else "binary"
        self._target_kind = "multilabel" if y.ndim == 2 else several
        self._sparse_labels = issparse(y)

    def _check_classes(self, y, must_be_all):
        """Check labels against the classes that were settled."""
        multilabel = self._target_kind == "multilabel"
        if multilabel != (y.ndim == 2):
            raise ValueError(
                f"y must be {'a label indicator' if multilabel else 'class labels'} "
                f"as before, got an array of shape {y.shape}."
            )
        if multilabel and not np.array_equal(self.classes_, np.arange(y.shape[1])):
            raise ValueError(
                f"y has {y.shape[1]} columns, one a label, but classes are "
                f"{self.classes_}; for a label indicator they must be "
                f"np.arange({y.shape[1]}), here and in every call that carries on."
            )
        classes = unique_labels(y)
        if must_be_all and set(classes) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in "
                f"the previous call to fit. Previously got {self.classes_}, `y` has "
                f"{classes}. Call fit with warm_start=False to start anew."
            )
        if np.setdiff1d(classes, self.classes_).size:
            raise ValueError(
                "`y` has classes not in `self.classes_`. `self.classes_` has "
                f"{self.classes_}. 'y' has {classes}. Pass all classes to the first "
                "call of partial_fit."
            )

    def _targets(self, y, dtype):
        """Return the targets, and the code of each sample where there are codes."""
        if self._target_kind == "multilabel":
            return (y.toarray() if issparse(y) else y).astype(dtype), None
        codes = np.searchsorted(self.classes_, y)
        if self._target_kind == "binary":
            return np.array([[0.0], [1.0]], dtype), codes
        return np.eye(len(self.classes_), dtype=dtype), codes

    def _decode(self, samples):
        """Turn targets back into labels, for a scorer."""
        if samples.codes is None:
            return samples.targets.astype(int)
        return self.classes_[samples.codes]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
