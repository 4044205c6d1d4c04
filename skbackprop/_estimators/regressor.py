"""The regressor."""

from numbers import Real

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import d2_pinball_score, r2_score
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if

from .._data.targets import NumericTargets
from ..core.activations import Identity
from ..core.losses import Loss, Quantile, losses_for
from .base import BaseBackprop
from .parameters import SHARED_CONSTRAINTS, store_parameters
from .solvers import has_partial_fit


class BackpropRegressor(RegressorMixin, BaseBackprop):
    """Neural-network regressor, trained by back-propagation.

    A feed-forward network [1]_ [2]_ of fully connected layers, for one target
    or several. It takes the parameters of
    :class:`sklearn.neural_network.MLPRegressor`, and with ``standardize=False`` it
    gives the same numbers.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(100,)
        Units of each hidden layer. ``()`` is a single layer, from the inputs
        straight to the outputs: the one-neuron network, and with "squared_error" and
        ``standardize=False`` it is ridge regression.
    activation : str, Activation, callable or sequence of these, default="relu"
        Activation of the hidden layers, or one for each of them: "identity",
        "sigmoid" (or "logistic", its second name), "tanh", "relu", "leaky_relu",
        "elu", "gelu", "silu", "softplus", an instance of a class derived
        from `skbackprop.Activation`, or a function of z that returns value and
        slope. The slope of "relu" at 0 is taken as 0.
    loss : str, Loss or callable, default="squared_error"
        "squared_error" (half of it, the quadratic cost ``1/(2n) sum (y -
        a)^2``), "absolute_error", "huber" (quadratic within 1 of the target,
        linear beyond), "quantile" (the pinball loss) or "poisson" (half the
        deviance, for counts). Or an instance of a class derived from
        `skbackprop.Loss`, or a function of targets and outputs that returns value
        and gradient.
    quantile : float or sequence of float, default=0.5
        Which quantile is predicted with ``loss="quantile"``, between 0 and 1. Of a
        sequence, in increasing order, all are predicted at once, a column each, and
        never cross.
    output_activation : str, Activation or callable, default="auto"
        Activation of the output layer. "auto" follows the loss and the targets:
        "exp" for "poisson", "increasing" for several quantiles, "identity" for all
        others.
        Any other may be named that can serve the loss: those of `activation`,
        "softmax", "exp", and "increasing", whose outputs never get less from the
        first to the last.
    standardize : bool, default=True
        Whether the inputs are centred and scaled by mean and standard deviation of
        the training data, by their weights, and bounded smoothly: what is
        z without a bound is ``5 tanh(z / 5)``. Sparse inputs are not centred,
        constant ones not scaled, indicators of categories left alone. No copy of `X`
        is made. The targets are centred and scaled too where outputs have no
        bounds (with the output activation "identity", so not for "poisson"), which
        `predict` undoes; losses are then in units of their standard deviation, as
        is the 1 of "huber". Set it to False for the numbers of MLPRegressor.
    categorical_features : "from_dtype", None or array-like, default="from_dtype"
        Which features are categories, to be one-hot encoded: columns of a frame with
        the dtype "category" ("Categorical" or "Enum" in polars), none, or those named
        by a bool for each feature, by their numbers or by the names of columns. A
        category that is missing or has not been met is none of those known. In a
        frame, or where features are named, missing numbers are replaced by the mean,
        and an indicator is added where there were any in the first fit.
    init : str or callable, default="auto"
        How starting weights are drawn. "auto" is uniform as in MLPRegressor,
        biases as well. "he_normal" [7]_, "he_uniform"
        [7]_, "glorot_normal" [8]_, "glorot_uniform" [8]_, "lecun_normal" [9]_,
        "orthogonal" [10]_ and a function of the random state, the inputs and the units
        of a layer, ``init(rng, fan_in, fan_out)``, have biases of zero;
        "standard_normal" [2]_ draws them as well.
    solver : {"adam", "adamw", "rmsprop", "sgd", "lbfgs"}, default="adam"
        How the cost is minimised. "sgd" is stochastic gradient descent, plain
        with ``momentum=0``; "adam" [3]_, "adamw" [4]_ and "rmsprop" [5]_ adapt
        the step of each parameter; "lbfgs" [6]_ uses all samples at once and
        is often best below a few thousand of them.
    alpha : float, default=0.0001
        Strength of the L2 penalty ``alpha / 2 ||W||^2``, divided by the number
        of samples of the batch; biases are not penalised. For "adamw" it is
        the decay instead: ``W`` shrinks by ``learning rate x alpha`` a step.
    l1_alpha : float, default=0.0
        Strength of the L1 penalty ``l1_alpha ||W||_1``, divided as that of `alpha`.
        Weights that nothing speaks for come near zero, not to zero itself. Not for
        "lbfgs".
    max_norm : float or None, default=None
        Longest norm of the weights into one unit: longer ones are shortened to
        it after each step [11]_, those of the output layer, too. None leaves them.
        Not for "lbfgs".
    dropout : float or sequence of float, default=0.0
        Share of the units of the hidden layers left out at random in each step, or one
        share for each layer, in [0, 1). The others are divided by the share that
        stays [11]_. Nothing is left out in predictions, nor of validation data. Not
        for "lbfgs".
    batch_size : int or "auto", default="auto"
        Samples of a mini-batch; "auto" is ``min(200, n_samples)``. Not used by
        "lbfgs".
    learning_rate : str or callable, default="constant"
        Schedule of the learning rate. "invscaling" divides it by ``(t_ +
        1)**power_t`` after every epoch. "adaptive" divides it by 5 each time
        there was no improvement by `tol` for `n_iter_no_change` epochs, until
        it is at most 1e-6; as improvement is measured against the best loss so
        far, one lucky low loss early can bring the rate down too soon.
        "exponential" multiplies it by `decay_rate` an epoch, a little in each step.
        "cosine" [12]_ brings it down to zero within `max_iter` epochs along half a
        cosine, "one_cycle" [13]_ from 1/25 up to `learning_rate_init` in the first
        30 % of them and down again; with both, training goes on for `max_iter`
        epochs unless stopped early. A function ``learning_rate(epoch, step)`` of the
        epochs and steps so far returns the rate of each step. Epochs and steps are
        counted from the beginning of a `fit`, also with `warm_start`, and on through
        partial fits. All solvers but "lbfgs" follow it, which refuses any but
        "constant".
    learning_rate_init : float, default=0.001
        The initial learning rate, the largest of "one_cycle". Not used by "lbfgs".
    power_t : float, default=0.5
        Exponent of "invscaling".
    decay_rate : float, default=0.98
        What an epoch of "exponential" leaves of the learning rate, in (0, 1].
    warmup_steps : int, default=0
        Steps at the beginning of a fit in which the learning rate rises in a line to
        that of the schedule; partial fits go on counting. Not for "lbfgs".
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
        that counts; those of the validation loss add up. For "lbfgs", training
        ends when no component of the gradient is larger; it also ends, whatever
        `tol`, when an iteration lowers the cost by less than 2.2e-9 of itself.
    verbose : bool or int, default=False
        Whether to print a line for every epoch: losses, score, learning rate, and how
        long it may take yet.
    warm_start : bool, default=False
        Whether `fit` carries on from the last one: weights, moments of the
        optimiser, shuffles, and the running means and deviations of `standardize` go
        on as they were; patience and schedules start anew.
    momentum : float, default=0.9
        Momentum of "sgd", between 0 and 1.
    nesterovs_momentum : bool, default=True
        Whether that is Nesterov's. Only for "sgd".
    early_stopping : bool, default=False
        Whether to hold out `validation_fraction` of the samples, to stop when
        their score improves no more, and to put back the weights that were best
        for them in this fit. Also for "lbfgs". Validation data passed to `fit` take
        the place of the samples held out.
    scoring : "loss", str or callable, default="loss"
        What early stopping watches: the loss of the held-out samples, the name
        of a scikit-learn scorer, or a callable ``scorer(estimator, X, y)``,
        which takes ``sample_weight=`` too where `fit` is given weights. `X` is
        an array, with categories encoded.
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
    validation_loss_curve_ : list of float or None
        Loss of each epoch on the held-out samples, or on the validation data passed
        to `fit`, without the penalty; None without either.
    validation_scores_ : list of float or None
        Score of each epoch on them (minus their loss with ``scoring="loss"``);
        None without them.
    best_validation_score_ : float or None
        The best of them in the last fit, whose weights are kept.
    history_ : pandas.DataFrame
        A row an epoch: `loss`, `validation_loss`, `validation_score`,
        `learning_rate`, that of the last step, and `seconds`.
    gradient_norms_ : ndarray of shape (n_epochs, n_layers - 1)
        Norm of the gradient of each layer's weights in the last mini-batch of each
        epoch since the network was made (of all samples for "lbfgs"), before it is
        clipped and without the penalty.
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
    is_categorical_ : ndarray of bool of shape (n_features,) or None
        Which features are categories; None where none is.
    n_features_in_ : int
        Features seen during `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
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
    of rows times the mean weight of all samples, in `partial_fit` of all so far.

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
    .. [7] He, Zhang, Ren and Sun. "Delving deep into rectifiers." ICCV (2015),
       equation 10.
    .. [8] Glorot and Bengio. "Understanding the difficulty of training deep
       feedforward neural networks." AISTATS (2010), equations 12 and 16.
    .. [9] LeCun, Bottou, Orr and Müller. "Efficient backprop." (1998), equation 16.
    .. [10] Saxe, McClelland and Ganguli. "Exact solutions to the nonlinear dynamics
       of learning in deep linear neural networks." ICLR (2014).
    .. [11] Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov. "Dropout."
       JMLR 15 (2014), 1929-1958, sections 5.1 and 10.
    .. [12] Loshchilov and Hutter. "SGDR." ICLR (2017), equation 5.
    .. [13] Smith and Topin. "Super-convergence." (2018).

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skbackprop import BackpropRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> net = BackpropRegressor((5,), "tanh", solver="lbfgs", alpha=10.0, tol=0.01,
    ...                         random_state=0).fit(X, y)
    >>> net.predict(X[:3]).shape
    (3,)
    >>> bool(net.score(X, y) > 0.5)
    True
    """

    _parameter_constraints: dict = {
        **SHARED_CONSTRAINTS,
        "loss": [StrOptions(losses_for("regression")), Loss, callable],
        "quantile": [Interval(Real, 0, 1, closed="neither"), "array-like"],
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
        standardize=True,
        categorical_features="from_dtype",
        init="auto",
        solver="adam",
        alpha=0.0001,
        l1_alpha=0.0,
        max_norm=None,
        dropout=0.0,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        decay_rate=0.98,
        warmup_steps=0,
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
        store_parameters(self, locals())

    @available_if(has_partial_fit)
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
        self._reader.scalers.unscale_outputs(outputs)
        return self._reader.targets.predict(outputs)

    def score(self, X, y, sample_weight=None):
        """Score predictions by R2, and several quantiles by their mean D2.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The target values.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.

        Returns
        -------
        float
            :func:`sklearn.metrics.r2_score`; where `quantile` is a sequence, the mean
            over the quantiles of :func:`sklearn.metrics.d2_pinball_score`. At best 1.
        """
        return self.score_predictions(y, self.predict(X), sample_weight)

    def score_predictions(self, y, predictions, sample_weight=None):
        if self._reader.targets.n_quantiles is None:
            return r2_score(y, predictions, sample_weight=sample_weight)
        scores = [
            d2_pinball_score(y, column, sample_weight=sample_weight, alpha=quantile)
            for quantile, column in zip(self._architecture.loss.quantile, predictions.T)
        ]
        return float(np.mean(scores))

    _decides_by_logits = False

    # ---------------------------------------------------------------- targets and loss

    def _learn_targets(self, y, classes, is_chunk):
        y = NumericTargets.check(y)
        return NumericTargets.learn(y, self._quantiles), y

    def _check_declared_classes(self, targets, classes):
        """Regression has no classes."""

    @property
    def _quantiles(self):
        """Sequence of quantiles as a tuple; None for a single quantile or none."""
        loss = self._get_core_loss(None)
        has_several = isinstance(loss, Quantile) and isinstance(loss.quantile, tuple)
        return loss.quantile if has_several else None

    def _get_core_loss(self, targets):
        if isinstance(self.loss, str) and self.loss == "quantile":
            return Quantile(self._get_quantile())
        if not isinstance(self.quantile, Real):
            raise ValueError(
                f"quantile={self.quantile} requires loss='quantile', got "
                f"loss={self.loss!r}. Set loss='quantile', or set quantile to a number."
            )
        return self.loss

    def _get_quantile(self):
        """Return the quantile as a float, or a sequence of quantiles as a tuple."""
        is_number = isinstance(self.quantile, Real)
        try:
            quantiles = np.asarray(
                [self.quantile] if is_number else self.quantile, float
            )
        except (TypeError, ValueError):
            quantiles = np.empty(0)
        is_sequence = quantiles.ndim == 1 and quantiles.size > 0
        if not is_sequence or not (np.diff([0.0, *quantiles, 1.0]) > 0.0).all():
            raise ValueError(
                f"quantile={self.quantile} must be a number between 0 and 1, or an "
                "increasing sequence of such numbers."
            )
        quantiles = tuple(quantiles.tolist())
        return quantiles[0] if is_number else quantiles

    def _get_fixed_settings(self):
        settings = {
            "standardize": self.standardize,
            "categorical_features": np.asarray(self.categorical_features).tolist(),
        }
        if isinstance(self.loss, str) and self.loss == "quantile":
            settings["quantile"] = self._get_quantile()
        return settings

    def _check_output_activation(self, architecture, targets):
        """Any output can be a prediction."""

    def _scales_targets(self, architecture, targets):
        # Bounded outputs cannot have any scale. Several quantiles of one target share
        # its scale.
        is_unbounded = isinstance(architecture.output_activation, Identity)
        return is_unbounded or targets.n_quantiles is not None

    def _n_averaged_outputs(self, n_outputs):
        # MLPRegressor displays the mean over the outputs, and minimizes the sum.
        return n_outputs if self.loss == "squared_error" else 1

    def _init_output_biases(self, network, architecture, targets, samples):
        """Standardized targets have mean zero, like the initial outputs."""

    # ---------------------------------------------------------------- class weights

    def _count_classes(self, targets, samples):
        return None

    def _get_class_weights(self, reader):
        return None

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = self.loss == "poisson"
        # Counts of several outputs work as well, but scikit-learn's check of
        # this tag draws targets below zero even for positive-only estimators.
        tags.target_tags.multi_output = not tags.target_tags.positive_only
        return tags
