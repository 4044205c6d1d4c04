"""BackpropRegressor."""

from numbers import Real

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import d2_pinball_score, r2_score
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import column_or_1d

from .._data.checks import to_unit_scale
from .._data.labels import to_target_array
from .._data.targets import NumericTargets
from ..core.losses import Loss, Quantile
from .base import BaseBackprop
from .fitted import fitted_parts
from .parameters import SHARED_CONSTRAINTS, losses_for, store_parameters
from .solvers import has_partial_fit


class BackpropRegressor(RegressorMixin, BaseBackprop):
    """Neural-network regressor trained with back-propagation.

    Feed-forward network [1]_ [2]_ of fully connected layers for one or several targets.
    The regressor accepts the parameters of
    :class:`sklearn.neural_network.MLPRegressor`. With ``standardize=False`` and the
    same other parameters, the regressor reproduces the results of `MLPRegressor`.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(100,)
        Number of units in each hidden layer. An int sets a single hidden layer. Use
        ``()`` for a network without hidden layers, which connects the inputs directly
        to the outputs: a single neuron if there is one output. With
        ``loss="squared_error"``, a network without hidden layers is ridge regression,
        on standardized inputs and targets if ``standardize=True``.
        Add units or layers if the network underfits; remove them if it overfits.
    activation : str, Activation, callable or sequence of these, default="relu"
        Activation of the hidden layers. A sequence sets one activation for each hidden
        layer.

        - ``"identity"``: ``z``; the layer is linear.
        - ``"sigmoid"`` or its alias ``"logistic"``: ``1 / (1 + exp(-z))``.
        - ``"tanh"``: ``tanh(z)``.
        - ``"relu"``: ``max(0, z)``; a good default. Its derivative at 0 is 0.
        - ``"leaky_relu"``: ``max(z, 0.01 * z)``.
        - ``"elu"``: ``z`` if ``z > 0``, otherwise ``exp(z) - 1``.
        - ``"gelu"``: ``z * Phi(z)`` with the standard normal distribution function
          ``Phi``.
        - ``"silu"``: ``z / (1 + exp(-z))``, also called swish.
        - ``"softplus"``: ``log(1 + exp(z))``, a smooth version of ``"relu"``.
        - An instance of a subclass of :class:`~skbackprop.Activation`.
        - A function of ``z`` that returns the activation and its derivative, two arrays
          of the shape of ``z``.
    output_activation : str, Activation or callable, default="auto"
        Activation of the output layer. The activation must be compatible with `loss`.

        - ``"auto"``: ``"exp"`` for ``loss="poisson"``, ``"increasing"`` for several
          quantiles, otherwise ``"identity"``. A custom `loss` can define its own
          default.
        - All values of `activation` except a sequence.
        - ``"softmax"``: positive outputs that sum to one. At least two outputs are
          required.
        - ``"exp"``: ``exp(z)``.
        - ``"increasing"``: the outputs never decrease from the first to the last.

        ``loss="poisson"`` requires positive outputs, and several quantiles require
        ``"increasing"``. `fit` raises an error if targets are outside the range of the
        outputs, for example negative targets with ``"relu"``.
    init : str or callable, default="auto"
        Initialization of weights and biases.

        - ``"auto"``: uniform weights and biases, as in `MLPRegressor`. With
          ``standardize=True``, the biases of the first hidden layer are half as large,
          so that linear trends are extrapolated better.
        - ``"he_normal"`` and ``"he_uniform"`` [3]_: variance ``2 / fan_in``.
        - ``"glorot_normal"`` and ``"glorot_uniform"`` [4]_: variance
          ``2 / (fan_in + fan_out)``.
        - ``"lecun_normal"`` [5]_: normal with variance ``1 / fan_in``.
        - ``"orthogonal"`` [6]_: random orthogonal matrix, or a part of one if the
          layer is not square.
        - ``"standard_normal"`` [2]_: normal with variance 1, also for the biases.
        - A function ``init(rng, fan_in, fan_out)`` of the random state, the number of
          inputs and the number of units of a layer. It returns the weights, an array of
          shape ``(fan_in, fan_out)``.

        Biases are zero unless `init` is ``"auto"`` or ``"standard_normal"``.
        Use ``"he_normal"`` for deep networks with ``activation="relu"``.
    loss : str, Loss or callable, default="squared_error"
        Loss function to minimize.

        - ``"squared_error"``: ``1 / (2 * n) * sum((y - a)^2)``.
        - ``"absolute_error"``: absolute difference of target and output.
        - ``"huber"``: quadratic if the output is within 1 of the target, linear
          otherwise. If the targets are scaled (see `standardize`), the threshold is
          the scale of the targets.
        - ``"quantile"``: pinball loss; see `quantile`.
        - ``"poisson"``: half the Poisson deviance, for counts. Targets must be
          non-negative.
        - An instance of a subclass of :class:`~skbackprop.Loss`.
        - A function of the targets and the outputs that returns the loss and its
          derivative with respect to the outputs. All four arrays have the same shape.

        Use ``"huber"`` or ``"absolute_error"`` if the targets contain outliers.
    quantile : float or sequence of float, default=0.5
        Quantile to predict with ``loss="quantile"``, strictly between 0 and 1. A
        sequence in increasing order predicts all quantiles of one target at once, one
        column per quantile. The predicted quantiles never cross.
        Use ``[0.05, 0.5, 0.95]`` for the median and a 90% prediction interval.
    solver : {"adam", "adamw", "rmsprop", "sgd", "lbfgs"}, default="adam"
        Algorithm that minimizes the loss.

        - ``"adam"`` [7]_: step sizes adapt to each parameter; a good default.
        - ``"adamw"`` [8]_: ``"adam"`` with decoupled weight decay; see `alpha`.
        - ``"rmsprop"`` [9]_: step sizes adapt to each parameter, without momentum.
        - ``"sgd"``: stochastic gradient descent with `momentum`. Set ``momentum=0`` for
          plain gradient descent.
        - ``"lbfgs"`` [10]_: quasi-Newton method that uses all samples in each
          iteration. Often the best choice for fewer than a few thousand samples.
          `partial_fit` is not available.
    batch_size : int or "auto", default="auto"
        Number of samples in a mini-batch. ``"auto"`` is ``min(200, n_samples)``. Values
        larger than the number of samples are clipped with a warning. Ignored with
        ``solver="lbfgs"``.
        Decrease `batch_size` for more steps per epoch; increase it for faster epochs.
    shuffle : bool, default=True
        Whether to shuffle the samples in each epoch. Ignored with ``solver="lbfgs"``.
        Set `shuffle` to False to process the samples in the order of `X`.
    max_iter : int, default=200
        Maximum number of epochs (of iterations for ``solver="lbfgs"``). Also the length
        of the schedules ``"cosine"`` and ``"one_cycle"``.
        Increase `max_iter` if `fit` warns that the training has not converged.
    max_fun : int, default=15000
        Maximum number of evaluations of the loss. Only used with ``solver="lbfgs"``.
        Increase `max_fun` if `fit` warns that the limit is reached.
    learning_rate_init : float or "auto", default="auto"
        Initial learning rate, or the maximum for ``learning_rate="one_cycle"``. Must be
        positive. Ignored with ``solver="lbfgs"``. ``"auto"`` selects a rate for the
        solver:

        - ``"adam"`` and ``"adamw"``: 0.002 in classification, 0.001 in regression.
        - ``"rmsprop"``: 0.001.
        - ``"sgd"``: 0.1 in classification, 0.005 in regression.

        The default of `MLPClassifier` and `MLPRegressor` is 0.001 for all solvers.
        Decrease `learning_rate_init` if the loss oscillates or diverges; increase it if
        the loss decreases slowly.
    learning_rate : str or callable, default="constant"
        Learning-rate schedule.

        - ``"constant"``: `learning_rate_init` in all epochs.
        - ``"invscaling"``: ``learning_rate_init / (t_ + 1)**power_t``, updated after
          each epoch.
        - ``"adaptive"``: divides the rate by 5 after each plateau: more than
          `n_iter_no_change` epochs without improvement by `tol`. Training stops at a
          plateau if the rate is already at most 1e-6. Improvement is measured against
          the best loss so far. A single low loss in an early epoch can therefore reduce
          the rate too soon.
        - ``"exponential"``: multiplies the rate by `decay_rate` per epoch, in equal
          factors per step.
        - ``"cosine"`` [11]_: decreases the rate along half a cosine to zero within
          `max_iter` epochs.
        - ``"one_cycle"`` [12]_: increases the rate from 1/25 of `learning_rate_init` to
          `learning_rate_init` in the first 30% of `max_iter` epochs, then decreases
          it.
        - A function ``learning_rate(epoch, step)`` of the number of completed epochs
          and steps. It returns the learning rate of the next step.

        With ``"cosine"`` and ``"one_cycle"``, training runs for `max_iter` epochs
        unless early stopping ends it. Epochs and steps are counted from the start of
        `fit`, also with ``warm_start=True``, and later calls of `partial_fit` continue
        the count. With ``solver="lbfgs"``, `fit` warns that the schedule is ignored.
        Use a decreasing schedule if the loss oscillates in late epochs.
    power_t : float, default=0.5
        Exponent for ``learning_rate="invscaling"``. Must be non-negative.
        Increase `power_t` for a faster decay of the learning rate.
    decay_rate : float, default=0.98
        Decay factor per epoch for ``learning_rate="exponential"``, in (0, 1].
        Decrease `decay_rate` for a faster decay of the learning rate.
    warmup_steps : int, default=0
        Number of steps at the start of `fit` in which the learning rate increases
        linearly to the rate of the schedule. Later calls of `partial_fit` continue the
        count. Not supported with ``solver="lbfgs"``.
        Increase `warmup_steps` if the loss oscillates or diverges at the start.
    momentum : float, default=0.9
        Momentum for ``solver="sgd"``, in [0, 1].
        Increase `momentum` to speed up training; decrease it if the loss oscillates.
    nesterovs_momentum : bool, default=True
        Whether to use Nesterov's momentum. Only used with ``solver="sgd"`` and
        ``momentum > 0``.
    beta_1 : float, default=0.9
        Exponential decay rate of the first moment for ``solver="adam"`` and
        ``solver="adamw"``, in [0, 1).
        Increase `beta_1` to average the gradients over more steps.
    beta_2 : float, default=0.999
        Exponential decay rate of the second moment for ``solver="adam"``,
        ``solver="adamw"`` and ``solver="rmsprop"``, in [0, 1).
        Increase `beta_2` to average the squared gradients over more steps.
    epsilon : float, default=1e-8
        Constant added to the denominator for numerical stability. Must be positive.
        Only used with ``solver="adam"``, ``solver="adamw"`` and ``solver="rmsprop"``.
    clip_norm : float or None, default=None
        Maximum norm of the gradient of a mini-batch. Larger gradients are rescaled to
        `clip_norm`. Must be positive. If None, gradients are not clipped. Not supported
        with ``solver="lbfgs"``.
        Set `clip_norm` if training diverges.
    alpha : float, default=0.0001
        Strength of the L2 regularization term ``alpha / 2 * ||W||^2``, which is divided
        by the number of samples in the batch. Must be non-negative. Biases are not
        regularized. Sample weights can increase the divisor; see the notes. With
        ``solver="adamw"``, `alpha` is the weight decay instead: each step multiplies
        ``W`` by ``1 - rate * alpha``, with the current learning rate ``rate``.
        Increase `alpha` if the network overfits; decrease it if the network underfits.
    l1_alpha : float, default=0.0
        Strength of the L1 regularization term ``l1_alpha * ||W||_1``, which is divided
        by the number of samples in the batch, like the L2 term. Must be non-negative.
        Irrelevant weights shrink close to zero but do not become exactly zero. Not
        supported with ``solver="lbfgs"``.
        Increase `l1_alpha` to reduce the influence of irrelevant inputs.
    max_norm : float or None, default=None
        Maximum norm of the incoming weights of each unit [13]_, including the output
        units. Larger weight vectors are rescaled to `max_norm` after each step. Must be
        positive. If None, the norms are not limited. Not supported with
        ``solver="lbfgs"``. `max_norm` is useful with `dropout` and large learning
        rates.
        Decrease `max_norm` for stronger regularization.
    dropout : float or sequence of float, default=0.0
        Dropout rate of the hidden layers: the fraction of units that is dropped at
        random in each step, in [0, 1). A sequence sets one rate for each hidden layer.
        The activations of the remaining units are divided by ``1 - dropout`` [13]_.
        Dropout is disabled in predictions and for validation data. Not supported with
        ``solver="lbfgs"``.
        Increase `dropout` if the network overfits; decrease it if the network
        underfits.
    early_stopping : bool, default=False
        Whether to stop training when the validation score stops improving, and to
        restore the weights with the best validation score of this fit.
        `validation_fraction` of the samples is held out as the validation set.
        Validation data passed to `fit` replace the held-out samples. If training
        diverges after an epoch with a finite validation score, `fit` restores the best
        weights, resets the state of the optimizer, and warns. The diverged epoch is not
        recorded. Supported by all solvers, but not by `partial_fit`.
        Set `early_stopping` to True if the network overfits in late epochs.
    validation_fraction : float, default=0.1
        Fraction of the samples to hold out for early stopping, between 0 and 1. Only
        used with ``early_stopping=True`` and without validation data in `fit`.
        Increase `validation_fraction` for a more reliable validation score; decrease it
        to train on more samples.
    scoring : "loss", str or callable, default="loss"
        Validation score, which early stopping monitors.

        - ``"loss"``: negative loss of the validation set.
        - str: name of a scikit-learn scorer.
        - callable ``scorer(estimator, X, y)``: returns the score; larger is better.

        A scorer receives `X` as an array or, if there are categories or missing values,
        as an object to pass to the methods of `estimator`. If `fit` receives
        sample weights, the scorer receives the validation weights as ``sample_weight``.
        For a subclass, a scorer uses the prediction methods of this class, not of the
        subclass.
    tol : float, default=1e-4
        Minimum improvement of the loss, or of the validation score with early stopping,
        to reset the patience counter. Training stops after more than `n_iter_no_change`
        consecutive epochs without such an improvement. Smaller improvements of the
        validation loss accumulate. With ``solver="lbfgs"``, training stops when no
        component of the gradient exceeds `tol`. Training also stops, for any `tol`,
        when an iteration reduces the loss by less than 2.2e-9, or by less than this
        fraction of a loss above 1.
        `tol` is absolute if the loss and the output activation are a canonical pair,
        and the targets are not scaled. Canonical pairs are ``"log_loss"`` with
        ``"softmax"`` or ``"sigmoid"``, ``"squared_error"`` with ``"identity"``, and
        ``"poisson"`` with ``"exp"``. Otherwise, `tol` is smaller if losses or gradients
        are small, for example because a class is rare. `tol` is then multiplied by the
        loss of the best constant prediction or, for ``solver="lbfgs"`` and
        ``solver="sgd"``, by the smallest mean absolute error dC/dz of its outputs, each
        divided by the value for two balanced classes (0.125). The limit of 2.2e-9 is
        multiplied by the loss in the same way. Scores other than ``"loss"`` are
        compared with `tol` itself.
        Increase `tol` to stop earlier; decrease it to train longer.
    n_iter_no_change : int or inf, default=10
        Number of consecutive epochs without improvement by `tol` that are tolerated
        before training stops. Must be at least 1. ``np.inf`` disables this criterion.
        With ``solver="lbfgs"``, only early stopping uses `n_iter_no_change`.
        Increase `n_iter_no_change` to train longer, for example if the loss is noisy.
    standardize : bool, default=True
        Whether to standardize the inputs with the weighted mean and standard deviation
        of the training data. Standardized inputs are clipped at 10 times their largest
        absolute value in the training data, and at 10 or more. Sparse inputs are not
        centered: they are divided by the root mean square of the nonzero values of each
        feature. Constant features are not scaled. Indicator columns of categories and
        missing values are not standardized. `X` is not copied.

        The targets are also scaled, depending on the output activation:

        - ``"identity"`` and ``"increasing"``: the mean of the targets is subtracted,
          and the result is divided by the standard deviation.
        - ``"relu"``, ``"leaky_relu"``, ``"elu"``, ``"gelu"``, ``"silu"``,
          ``"softplus"`` and ``"exp"``: the targets are divided by their root mean
          square, so that zero stays zero.
        - ``"sigmoid"``, ``"tanh"`` and ``"softmax"``: the targets are not scaled.

        Loss values are in units of the scale of the targets (of its square for
        ``"squared_error"``). Predictions are in the units of `y`.

        Set `standardize` to False to reproduce the results of `MLPRegressor`, or if you
        scale both `X` and `y` yourself.
    categorical_features : "from_dtype", None or array-like, default="from_dtype"
        Features to one-hot encode.

        - ``"from_dtype"``: DataFrame columns with the dtype "category" ("Categorical"
          or "Enum" in polars).
        - ``None``: no features.
        - Array-like of bool: mask with one entry per feature.
        - Array-like of int: indices of the features.
        - Array-like of str: names of DataFrame columns.

        Missing and unknown categories are encoded as all zeros. The one-hot encoding is
        computed for one mini-batch at a time, so that features can have many
        categories. Missing numeric values of dense data are replaced by the weighted
        mean of the known values: with ``standardize=True`` in all training data so far,
        otherwise in the first fit. Features with missing values in the first fit also
        get an indicator column. If `X` is sparse, missing values are not supported, and
        `categorical_features` must be ``"from_dtype"`` or None.
    n_bins : int or None, default=None
        Number of bins of the piecewise-linear encoding [14]_, at least 2. An int adds
        `n_bins` inputs for each numeric feature, one input per bin. The input of a bin
        increases linearly from 0 to 1 within the bin and is constant elsewhere. Beyond
        the range of the training data, the inputs of the first and the last bin
        continue linearly, down to -10 and up to 10. The inputs are computed for one
        mini-batch at a time. If None, numeric features are not divided into bins.

        The edges of the bins are weighted quantiles of the known values. With more than
        200,000 rows, the quantiles are computed from a random sample of this size. If a
        feature has at most ``n_bins + 1`` distinct values, these values are the edges.
        Features with fewer than three edges have no bins. `partial_fit` and
        warm-started fits keep the bins of the first fit. Not supported with sparse `X`.

        Set `n_bins`, for example to 16, if the target changes abruptly or irregularly
        with single features. Increase `n_bins` for finer changes; decrease it if the
        network overfits.
    random_state : int, RandomState instance or None, default=None
        Controls weight initialization, the early-stopping split, shuffling and dropout.
        Pass an int for reproducible results across multiple calls of `fit`.
    warm_start : bool, default=False
        Whether `fit` continues from the previous fit instead of initializing the
        network again. Weights, optimizer moments, the random state of shuffling, and
        the running means and standard deviations of `standardize` are kept. The
        patience counter and the learning-rate schedule restart, except
        ``"invscaling"``, which continues with `t_`. Shuffling starts from the order of
        the rows in `X`. With ``early_stopping=True``, the weights of the
        previous fit are restored if no epoch improves the validation score.
        Set `warm_start` to True to continue training, for example for more epochs.
    verbose : bool or int, default=False
        Whether to print one line per epoch: losses, score, learning rate, and an upper
        limit for the remaining time.
    dtype : {"float32", "float64"} or None, default=None
        Precision of computations and predictions. If None, the precision is "float32"
        for `X` of dtype float32, otherwise "float64". `X` of another dtype is converted
        batch by batch.
        Use "float32" to halve the memory usage, and roughly the time for wide networks.

    Attributes
    ----------
    coefs_ : tuple of ndarray of shape (fan_in, fan_out)
        Weights of each layer. The arrays are views of the network parameters: changing
        them in place changes the predictions. Assigning a sequence of arrays of the
        same shapes copies the values.
    intercepts_ : tuple of ndarray of shape (fan_out,)
        Biases of each layer. The arrays are views, like `coefs_`.
    input_mean_ : ndarray of shape (n_numeric,)
        Value that is subtracted from each numeric feature. Zero for sparse inputs, and
        if ``standardize=False``.
    input_scale_ : ndarray of shape (n_numeric,)
        Value that each numeric feature is divided by. One if ``standardize=False``.
    input_bound_ : ndarray of shape (n_numeric,)
        Maximum absolute value of each scaled feature. Inputs are clipped to the range
        from ``-input_bound_`` to ``input_bound_``. Infinite if ``standardize=False``.
    target_mean_ : ndarray of shape (n_outputs,)
        Value that is added to the scaled outputs. Zero if the targets are not centered.
    target_scale_ : ndarray of shape (n_outputs,)
        Value that the network outputs are multiplied by. One if the targets are not
        scaled.
    loss_ : float
        Loss of the last epoch, including the regularization terms.
    best_loss_ : float or None
        Minimum loss over the epochs of the last fit. None if ``early_stopping=True``.
    loss_curve_ : list of float
        Loss of each epoch since the network was initialized. `partial_fit` keeps the
        last 1000 epochs.
    validation_loss_curve_ : list of float or None
        Validation loss of each epoch, without the regularization terms. The validation
        set is held out or passed to `fit`. None without a validation set.
    validation_scores_ : list of float or None
        Validation score of each epoch; the negative validation loss if
        ``scoring="loss"``. None without a validation set.
    best_validation_score_ : float or None
        Best validation score of the last fit, whose weights are restored. If the fit
        started with ``warm_start=True`` or with `coefs_init`, this can be the score of
        the initial weights. None if ``early_stopping=False``.
    history_ : pandas.DataFrame
        One row per epoch, with the columns `loss`, `validation_loss`,
        `validation_score`, `learning_rate` (of the last step) and `seconds` (duration
        of the epoch). The index starts at 1, or later if `partial_fit` has removed
        epochs. Values that do not apply are NaN.
    gradient_norms_ : ndarray of shape (n_epochs, n_layers - 1)
        Gradient norm of the weights of each layer, for each epoch since the network was
        initialized. The gradient is from the last mini-batch of the epoch (from all
        samples for ``solver="lbfgs"``), before clipping and without regularization.
    n_iter_ : int
        Number of epochs (iterations for ``solver="lbfgs"``) of the last `fit` and of
        later calls of `partial_fit`.
    t_ : int
        Number of samples seen by the solver: number of epochs times number of training
        samples. 0 for ``solver="lbfgs"``.
    n_layers_ : int
        Number of layers, including the input layer.
    n_outputs_ : int
        Number of units in the output layer.
    out_activation_ : str
        Name of the output activation.
    is_categorical_ : ndarray of bool of shape (n_features,) or None
        Mask of the categorical features. None if there are no categorical features.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during `fit`. Defined only if `X` has feature names that
        are all strings.

    See Also
    --------
    BackpropClassifier : Neural-network classifier trained with back-propagation.
    sklearn.neural_network.MLPRegressor : Neural-network regressor of scikit-learn.

    Notes
    -----
    With several targets and ``loss="squared_error"``, the reported loss is the mean
    over the targets, but training minimizes the sum. `MLPRegressor` does the same for
    stochastic solvers. With ``solver="lbfgs"``, `BackpropRegressor` minimizes the sum,
    but `MLPRegressor` passes the mean and the gradient of the sum to SciPy. Only in
    this case, with several targets, the results of both classes differ.

    Sample weights count as repetitions of samples. The loss of a mini-batch is divided
    by its number of rows times the mean weight of all samples. The regularization terms
    are divided by the number of rows times the mean weight, or times the fraction of
    samples with a nonzero weight if this fraction is larger. Therefore, if no weight is
    larger than 1, a common factor below 1 has no effect. `partial_fit` uses the mean
    and the fraction of all samples seen so far. The sum of the weights must be
    positive. Samples with negative weights have no influence on means, standard
    deviations, bins and class frequencies.

    The fitted network stores the parameters that it was fitted with. Calling
    `set_params` after `fit` does not change the predictions.

    References
    ----------
    .. [1] Rumelhart, Hinton and Williams. "Learning representations by
       back-propagating errors." Nature 323 (1986), 533-536.
    .. [2] Nielsen. "Neural Networks and Deep Learning." Determination Press
       (2015), chapters 1 and 2.
    .. [3] He, Zhang, Ren and Sun. "Delving deep into rectifiers." ICCV (2015),
       equation 10.
    .. [4] Glorot and Bengio. "Understanding the difficulty of training deep
       feedforward neural networks." AISTATS (2010), equations 12 and 16.
    .. [5] LeCun, Bottou, Orr and Müller. "Efficient backprop." (1998), equation 16.
    .. [6] Saxe, McClelland and Ganguli. "Exact solutions to the nonlinear dynamics
       of learning in deep linear neural networks." ICLR (2014).
    .. [7] Kingma and Ba. "Adam: a method for stochastic optimization." ICLR
       (2015), algorithm 1.
    .. [8] Loshchilov and Hutter. "Decoupled weight decay regularization." ICLR
       (2019), algorithm 2.
    .. [9] Hinton. "Neural networks for machine learning", lecture 6e (2012).
    .. [10] Byrd, Lu, Nocedal and Zhu. "A limited memory algorithm for bound
       constrained optimization." SIAM J. Sci. Comput. 16 (1995), 1190-1208.
    .. [11] Loshchilov and Hutter. "SGDR." ICLR (2017), equation 5.
    .. [12] Smith and Topin. "Super-convergence." (2018).
    .. [13] Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov. "Dropout."
       JMLR 15 (2014), 1929-1958, sections 5.1 and 10.
    .. [14] Gorishniy, Rubachev and Babenko. "On embeddings for numerical features in
       tabular deep learning." NeurIPS (2022), equations 1 and 2.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skbackprop import BackpropRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> reg = BackpropRegressor((5,), "tanh", solver="lbfgs", alpha=10.0, tol=0.01,
    ...                         random_state=0).fit(X, y)
    >>> reg.predict(X[:3]).shape
    (3,)
    >>> bool(reg.score(X, y) > 0.5)
    True

    Several quantiles give the median and a prediction interval:

    >>> reg = BackpropRegressor((5,), loss="quantile", quantile=[0.05, 0.5, 0.95],
    ...                         learning_rate_init=0.01, early_stopping=True,
    ...                         random_state=0).fit(X, y)
    >>> low, median, high = reg.predict(X).T
    >>> bool((low <= median).all() and (median <= high).all())
    True
    """

    _parameter_constraints: dict = {
        **SHARED_CONSTRAINTS,
        "loss": [StrOptions(losses_for("regression")), Loss, callable],
        "quantile": [Interval(Real, 0, 1, closed="neither"), "array-like"],
    }
    _has_numeric_targets = True
    _default_output_activation = "identity"

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        output_activation="auto",
        init="auto",
        loss="squared_error",
        quantile=0.5,
        solver="adam",
        batch_size="auto",
        shuffle=True,
        max_iter=200,
        max_fun=15000,
        learning_rate_init="auto",
        learning_rate="constant",
        power_t=0.5,
        decay_rate=0.98,
        warmup_steps=0,
        momentum=0.9,
        nesterovs_momentum=True,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        clip_norm=None,
        alpha=0.0001,
        l1_alpha=0.0,
        max_norm=None,
        dropout=0.0,
        early_stopping=False,
        validation_fraction=0.1,
        scoring="loss",
        tol=1e-4,
        n_iter_no_change=10,
        standardize=True,
        categorical_features="from_dtype",
        n_bins=None,
        random_state=None,
        warm_start=False,
        verbose=False,
        dtype=None,
    ):
        store_parameters(self, locals())

    @property
    def target_mean_(self):
        """Value that is added to the scaled outputs."""
        return self._per_output(self._fitted._reader.scalers.output_shift)

    @property
    def target_scale_(self):
        """Value that the network outputs are multiplied by."""
        return self._per_output(self._fitted._reader.scalers.output_scale)

    def _per_output(self, value):
        return np.full(self.n_outputs_, value)

    @available_if(has_partial_fit)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Train for one epoch on the given samples.

        Calling `partial_fit` K times with the same samples is equivalent to `fit` with
        ``max_iter=K``. `partial_fit` is not available with ``solver="lbfgs"``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Input data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target values.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, with a positive sum. If None, all samples have weight 1.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If ``early_stopping=True``, or if parameters or data do not match previous
            calls. The estimator is then not changed.
        """
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X):
        """Predict the target values of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Input data.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,), (n_samples, n_outputs) or \
(n_samples, n_quantiles)
            Predicted values in the units of `y`. The dtype is float32 if the network
            was fitted in float32, otherwise float64.
        """
        outputs = self._outputs(X)
        self._reader.scalers.unscale_outputs(outputs)
        return self._reader.targets.predict(outputs)

    def score(self, X, y, sample_weight=None):
        """Return the R2 score, or the mean D2 pinball score of several quantiles.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Input data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target values.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.

        Returns
        -------
        score : float
            :func:`sklearn.metrics.r2_score` of the predictions. If `quantile` is a
            sequence, the mean of :func:`sklearn.metrics.d2_pinball_score` over the
            quantiles. The best possible score is 1.
        """
        return score_predictions(self, y, self.predict(X), sample_weight)

    # ---------------------------------------------------------------- targets and loss

    def _learn_targets(self, y, classes, is_chunk):
        y = NumericTargets.check(y)
        loss = self._get_core_loss(None)
        has_several = isinstance(loss, Quantile) and isinstance(loss.quantile, tuple)
        return NumericTargets.learn(y, loss.quantile if has_several else None), y

    def _check_declared_classes(self, targets, classes):
        """Do nothing because regression has no classes."""

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
        is_numeric = isinstance(self.quantile, Real)
        try:
            quantiles = np.asarray(
                [self.quantile] if is_numeric else self.quantile, float
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
        return quantiles[0] if is_numeric else quantiles

    def _make_unfitted(self):
        return BackpropRegressor()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = self.n_bins is None
        tags.target_tags.positive_only = self.loss == "poisson"
        # Counts of several outputs are supported, but the scikit-learn check of this
        # tag uses negative targets even for positive-only estimators.
        tags.target_tags.multi_output = not tags.target_tags.positive_only
        return tags


def score_predictions(regressor, y, predictions, sample_weight):
    """Score the predictions of a regressor; see `BackpropRegressor.score`.

    Parameters
    ----------
    regressor : BackpropRegressor
        Fitted regressor.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Target values.
    predictions : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Predictions of the regressor.
    sample_weight : array-like of shape (n_samples,) or None
        Sample weights.

    Returns
    -------
    float
    """
    y = to_target_array(y, are_numeric=True)
    reader, architecture, _ = fitted_parts(regressor)
    if sample_weight is not None:
        weight = column_or_1d(sample_weight, dtype=np.float64)
        sample_weight = to_unit_scale(weight)
    if reader.targets.n_quantiles is None:
        return r2_score(y, predictions, sample_weight=sample_weight)
    scores = [
        d2_pinball_score(y, column, sample_weight=sample_weight, alpha=quantile)
        for quantile, column in zip(architecture.loss.quantile, predictions.T)
    ]
    return float(np.mean(scores))
