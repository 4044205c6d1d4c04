"""BackpropClassifier."""

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.metrics import accuracy_score
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import unique_labels

from .._data.labels import to_target_array
from .._data.targets import ClassTargets
from ..core.activations import Softmax
from ..core.inspection import weighted_inputs
from ..core.losses import Loss
from .base import BaseBackprop
from .parameters import SHARED_CONSTRAINTS, losses_for, store_parameters
from .solvers import has_partial_fit


class BackpropClassifier(ClassifierMixin, BaseBackprop):
    """Neural-network classifier trained with back-propagation.

    Feed-forward network [1]_ [2]_ of fully connected layers for binary, multiclass and
    multilabel classification. The classifier accepts the parameters of
    :class:`sklearn.neural_network.MLPClassifier`. With ``loss="log_loss"``,
    ``standardize=False`` and the same other parameters, the classifier reproduces the
    results of `MLPClassifier`.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(100,)
        Number of units in each hidden layer. An int sets a single hidden layer. Use
        ``()`` for a network without hidden layers, which connects the inputs directly
        to the outputs: a single neuron if there is one output. With ``loss="log_loss"``
        and ``standardize=False``, a network without hidden layers is logistic
        regression.
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
        Activation of the output layer. The network has one output per class or label,
        and a single output for two classes. The activation must be compatible with
        `loss`.

        - ``"auto"``: ``"softmax"`` for ``loss="log_loss"`` with three or more classes,
          otherwise ``"logistic"`` (sigmoid). A custom `loss` can define its own
          default.
        - All values of `activation` except a sequence.
        - ``"softmax"``: probabilities of mutually exclusive classes. At least two
          outputs are required, and multilabel targets are not supported.
        - ``"exp"``: ``exp(z)``.
        - ``"increasing"``: the outputs never decrease from the first to the last.

        ``loss="log_loss"`` requires ``"softmax"`` or ``"sigmoid"``.
    init : str or callable, default="auto"
        Initialization of weights and biases.

        - ``"auto"``: uniform weights and biases, as in `MLPClassifier`. With
          ``standardize=True``, the biases of the first hidden layer are half as large.
          For sigmoid outputs with ``loss="squared_error"``, the initial output biases
          are the logits of the class frequencies.
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
    loss : {"squared_error", "log_loss"}, Loss or callable, default="squared_error"
        Loss function to minimize.

        - ``"squared_error"``: ``1 / (2 * n) * sum(||y - a||^2)``. The target is 1 for
          the output of the true class and 0 for all other outputs.
        - ``"log_loss"``: cross-entropy, the loss of `MLPClassifier`.
        - An instance of a subclass of :class:`~skbackprop.Loss`.
        - A function of the targets and the outputs that returns the loss and its
          derivative with respect to the outputs. All four arrays have the same shape.

        ``"log_loss"`` gives better probabilities on some datasets.
    class_weight : dict, list of dict, "balanced" or None, default=None
        Class weights, multiplied by `sample_weight`.

        - ``None``: all classes have weight 1.
        - dict: maps each class to its non-negative weight. Classes missing from the
          dict have weight 1.
        - ``"balanced"``: weights are inversely proportional to the class frequencies.
          `partial_fit` uses the class frequencies of all samples seen so far.
        - list of dict: one dict with the keys 0 and 1 for each label of multilabel
          targets. The weight of a sample is the product over the labels.

        Class weights apply to validation losses but not to validation scores.
        Increase the weight of a class to reduce the errors on its samples.
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
        Fraction of the samples to hold out for early stopping, between 0 and 1. The
        split is stratified if each class has enough samples, but not for multilabel
        targets. Only used with ``early_stopping=True`` and without validation data in
        `fit`.
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
        Set `standardize` to False to reproduce the results of `MLPClassifier`, or if
        you scale the inputs yourself.
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
    classes_ : ndarray of shape (n_classes,)
        Class labels. For multilabel targets, the column indices.
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
    BackpropRegressor : Neural-network regressor trained with back-propagation.
    sklearn.neural_network.MLPClassifier : Neural-network classifier of scikit-learn.

    Notes
    -----
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
    >>> from sklearn.datasets import load_iris
    >>> from skbackprop import BackpropClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = BackpropClassifier((10,), solver="lbfgs", random_state=0).fit(X, y)
    >>> clf.predict(X[:3])
    array([0, 0, 0])
    >>> bool(clf.score(X, y) > 0.95)
    True

    DataFrames may contain categories and missing values:

    >>> import pandas as pd
    >>> df = pd.DataFrame({"age": [25, None, 47, 60] * 10, "city": ["A", "B"] * 20})
    >>> df = df.astype({"city": "category"})
    >>> clf = BackpropClassifier((10,), solver="lbfgs", random_state=0)
    >>> clf.fit(df, ["no", "yes", "yes", "no"] * 10).predict(df[:4])
    array(['no', 'yes', 'yes', 'no'], dtype='<U3')
    """

    _parameter_constraints: dict = {
        **SHARED_CONSTRAINTS,
        "loss": [StrOptions(losses_for("classification")), Loss, callable],
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
    }
    _has_numeric_targets = False
    _default_output_activation = "logistic"

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        output_activation="auto",
        init="auto",
        loss="squared_error",
        class_weight=None,
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

    @available_if(has_partial_fit)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None, classes=None):
        """Train for one epoch on the given samples.

        Calling `partial_fit` K times with the same samples is equivalent to `fit` with
        ``max_iter=K``. `partial_fit` is not available with ``solver="lbfgs"``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Input data.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels, or a label indicator matrix for multilabel targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, with a positive sum. If None, all samples have weight 1.
        classes : array-like of shape (n_classes,), default=None
            All classes that occur in any call; ``np.arange(n_labels)`` for multilabel
            targets. Required in the first call. `y` need not contain all classes.

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
        return self._partial_fit(X, y, sample_weight, classes)

    def predict(self, X):
        """Predict the class of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Input data.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_labels)
            Predicted class labels. For multilabel targets, a label indicator matrix of
            int, which is sparse if the training targets were sparse.
        """
        scores = self.decision_function(X)
        return self._reader.targets.predict(scores)

    def predict_proba(self, X):
        """Predict the probability of each class.

        Multiclass outputs that do not sum to one, such as sigmoids with
        ``loss="squared_error"``, are divided by their sum over the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Input data.

        Returns
        -------
        y_prob : ndarray of shape (n_samples, n_classes)
            Probability of each class, strictly between 0 and 1. Columns are in the
            order of `classes_`. Rows sum to one, except for multilabel targets: each
            column is then the probability of one label. If `classes_` has a single
            class, its probability is 1.
        """
        outputs = self._outputs(X)
        return self._reader.targets.predict_proba(
            outputs, sum_to_one=self._architecture.has_softmax_outputs
        )

    def predict_log_proba(self, X):
        """Predict the logarithm of the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Input data.

        Returns
        -------
        log_y_prob : ndarray of shape (n_samples, n_classes)
            Log-probability of each class, ``log(predict_proba(X))``. Columns are in the
            order of `classes_`.
        """
        return np.log(self.predict_proba(X))

    def decision_function(self, X):
        """Compute the decision function for each class.

        With sigmoid and softmax outputs, the decision function consists of the logits:
        the weighted inputs of the output layer, which are exact even if probabilities
        round to 0 or 1. With other output activations, the decision function consists
        of the outputs. For binary and multilabel targets, 0.5 is subtracted from these
        outputs, so that the decision threshold is 0.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Input data.

        Returns
        -------
        scores : ndarray of shape (n_samples,), (n_samples, n_classes) or \
(n_samples, n_labels)
            Decision function of each sample. For binary targets, positive values
            predict ``classes_[1]``. For multiclass targets, the class with the largest
            value is predicted. For multilabel targets, labels with positive values are
            predicted. If `classes_` has a single class, the array has one dimension,
            and the class is predicted for all values.
        """
        X = self._read_inputs(X)
        network, kind = self._state.network, self._reader.targets.kind
        with self._blas_threads(X):
            if self._architecture.decides_by_logits:
                scores = weighted_inputs(network, X)
            else:
                scores = network.predict(X)
                if kind != "multiclass":
                    scores -= 0.5
        return scores.ravel() if scores.shape[1] == 1 else scores

    def score(self, X, y, sample_weight=None):
        """Return the accuracy, or the subset accuracy for multilabel targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Input data.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels, or a label indicator matrix for multilabel targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.

        Returns
        -------
        score : float
            :func:`sklearn.metrics.accuracy_score` of the predictions.
        """
        y = to_target_array(y, are_numeric=False)
        return accuracy_score(y, self.predict(X), sample_weight=sample_weight)

    # ---------------------------------------------------------------- targets and loss

    def _learn_targets(self, y, classes, is_chunk):
        y = ClassTargets.check(y)
        if not is_chunk:
            return ClassTargets.learn(y), y
        if classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        targets = ClassTargets.learn(y, _unique_classes(classes))
        targets.check_known(y)
        return targets, y

    def _check_declared_classes(self, targets, classes):
        if classes is not None and not np.array_equal(
            targets.classes, _unique_classes(classes)
        ):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to "
                f"partial_fit, was: {targets.classes!r}"
            )

    def _get_core_loss(self, targets):
        """Return the loss that implements "log_loss" for these targets."""
        if not isinstance(self.loss, str) or self.loss != "log_loss":
            return self.loss
        if targets.kind != "multiclass":
            return "binary_log_loss"
        output = self.output_activation
        is_softmax = type(output) is Softmax or output in ("auto", "softmax")
        return "log_loss" if is_softmax else "binary_log_loss"

    def _make_unfitted(self):
        return BackpropClassifier()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = self.n_bins is None
        tags.classifier_tags.multi_label = True
        return tags


def _unique_classes(classes):
    """Return the sorted argument `classes` of `partial_fit`."""
    labels = to_target_array(classes, are_numeric=False, name="classes")
    if labels.ndim != 1:
        raise ValueError(
            "classes must be an array-like of class labels, of shape (n_classes,), got "
            f"{classes!r}."
        )
    return unique_labels(labels)
