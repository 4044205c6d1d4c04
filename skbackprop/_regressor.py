"""BackpropRegressor: one real number or several to be predicted."""

from numbers import Real

import numpy as np
from scipy.sparse import issparse
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import column_or_1d

from ._base import BaseBackprop, check_range, is_stochastic
from .core.losses import Loss, losses_for


class BackpropRegressor(RegressorMixin, BaseBackprop):
    """Neural-network regressor, trained by back-propagation.

    A feed-forward network [1]_ [2]_ of fully connected layers, for one target
    or several. It takes the parameters of
    :class:`sklearn.neural_network.MLPRegressor`, and gives the same numbers.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(100,)
        Units of each hidden layer. ``()`` is a single layer, from the inputs
        straight to the outputs: the one-neuron network, and with "squared_error" it
        is ridge regression.
    activation : str, Activation or sequence of these, default="relu"
        Activation of the hidden layers, or one for each of them: "identity",
        "sigmoid" (or "logistic", its second name), "tanh", "relu", "leaky_relu",
        "elu", "gelu", "silu", "softplus", or an instance of a class derived
        from `skbackprop.Activation`. The slope of "relu" at 0 is taken as 0.
    loss : str or Loss, default="squared_error"
        "squared_error" (half of it, the quadratic cost ``1/(2n) sum (y -
        a)^2``), "absolute_error", "huber" (quadratic within 1 of the target,
        linear beyond), "quantile" (the pinball loss) or "poisson" (half the
        deviance, for counts). Or an instance of a class derived from
        `skbackprop.Loss`.
    quantile : float, default=0.5
        Which quantile is predicted with ``loss="quantile"``, between 0 and 1.
    output_activation : str or Activation, default="auto"
        Activation of the output layer. "auto" follows the loss and the targets:
        "exp" for "poisson", "identity" for all others.
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
        Share of the samples held out.
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
    BackpropClassifier : The same for classes.
    sklearn.neural_network.MLPRegressor : Its model.

    Notes
    -----
    With several targets and "squared_error" the loss shown is a mean over the
    targets, while what is descended is the sum over them; MLPRegressor does the
    same. "lbfgs" minimises the sum, where MLPRegressor hands SciPy a mean with
    the gradient of a sum: there alone, with several targets, numbers differ.
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
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skbackprop import BackpropRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> net = BackpropRegressor((5,), "tanh", solver="lbfgs", alpha=10.0, tol=0.01,
    ...                         random_state=0)
    >>> model = make_pipeline(StandardScaler(), net).fit(X, y / 100)
    >>> model.predict(X[:3]).shape
    (3,)
    >>> bool(model.score(X, y / 100) > 0.5)
    True
    """

    _parameter_constraints: dict = {
        **BaseBackprop._parameter_constraints,
        "loss": [StrOptions(losses_for("regression")), Loss],
        "quantile": [Interval(Real, 0, 1, closed="neither")],
    }
    _default_output_activation = "identity"

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        loss="squared_error",
        quantile=0.5,
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
        self.quantile = quantile

    @available_if(is_stochastic)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Carry training on by one epoch over the given samples.

        Called K times with the same samples it comes to the same as `fit` with
        ``max_iter=K``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The target values.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, zero or more.

        Returns
        -------
        self : object
            The estimator, trained further.
        """
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X):
        """Predict the target values of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            float32 where the network was fitted to float32, else float64.
        """
        outputs = self._outputs(X)
        return outputs.ravel() if outputs.shape[1] == 1 else outputs

    def _loss_in_core(self):
        return self.loss

    def _check_output(self, architecture):
        """Any output can be a prediction."""

    def _n_averaged(self, n_outputs):
        """Report the squared error as a mean over outputs, as MLPRegressor does.

        What is descended is their sum all the same, there as here.
        """
        return n_outputs if self.loss == "squared_error" else 1

    def _encode(self, y, dtype, carry_on, incremental, classes):
        """Turn target values into an array of one column an output."""
        if issparse(y):
            raise TypeError("y must be a dense array of numbers, got a sparse one.")
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        check_range(y, dtype, "y")
        targets = np.ascontiguousarray(y, dtype).reshape(len(y), -1)
        if carry_on and targets.shape[1] != self.n_outputs_:
            raise ValueError(
                f"y must have {self.n_outputs_} outputs as before, got "
                f"{targets.shape[1]}."
            )
        return targets, None

    def _decode(self, samples):
        """Turn targets back into what `y` was, for a scorer."""
        targets = samples.targets
        return targets.ravel() if targets.shape[1] == 1 else targets

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = self.loss == "poisson"
        # Counts of several outputs work as well, but scikit-learn's check of
        # this tag draws targets below zero even for positive-only estimators.
        tags.target_tags.multi_output = not tags.target_tags.positive_only
        return tags
