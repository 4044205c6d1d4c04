"""Check that the tests find deliberate faults in the package.

    python tests/deliberate_faults.py [--tier default|all] [--check] [NAME ...]

The script copies the repository to a temporary folder and changes one piece of code at
a time there. After each change it runs the tests until the first failure, and prints
the test that failed or NOT FOUND. It exits with 1 if a fault was not found.

NAME selects faults by a part of their name; without names, all faults are tried.
`--check` only applies each fault, which takes a second. Use `--check` after you
move code.
pytest does not collect this file.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "skbackprop"
NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv*", "__pycache__", ".*_cache", ".hypothesis", "_build", "gallery"
)

#: Folders of tests, in the order in which they run. "." contains all other tests.
FOLDERS = (
    "core",
    "_estimators",
    "_data",
    "_ensembles",
    "_callbacks",
    ".",
    "onnx",
    "dask",
)

#: Maximum duration of a test run, in seconds. Longer test runs are assumed to hang.
LIMIT = 1800


@dataclass(frozen=True)
class Fault:
    """One change to the code of the package.

    Parameters
    ----------
    name : str
        Description of the fault.
    old, new : str
        Code to replace, and its replacement.
    within : str, default=""
        First line, or a part of it, of the class or function that contains `old`. Must
        occur exactly once in the package. If empty, `old` must occur exactly once in
        the package; otherwise exactly once in this class or function.
    first : str, default="core/"
        Tests that run first because they are likely to fail: the beginning of their
        path below `tests`.
    """

    name: str
    old: str
    new: str
    within: str = ""
    first: str = "core/"


FAULTS = [
    # Activations: `backward`
    Fault(
        "identity: sign of the derivative",
        "        pass\n",
        "        np.negative(delta, out=delta)\n",
        "class Identity(",
    ),
    Fault(
        "sigmoid: sign of the derivative",
        "np.subtract(1.0, a, out=scratch)",
        "np.subtract(a, 1.0, out=scratch)",
        "class Sigmoid(",
    ),
    Fault(
        "tanh: sign of the derivative",
        "delta *= scratch",
        "delta *= -scratch",
        "class Tanh(",
    ),
    Fault(
        "relu: derivative is 1 everywhere",
        "np.greater(a, 0.0, out=scratch)",
        "np.greater_equal(a, 0.0, out=scratch)",
    ),
    Fault(
        "leaky_relu: sign in the derivative",
        "scratch *= 1.0 - ",
        "scratch *= 1.0 + ",
    ),
    Fault(
        "elu: derivative reduced by 1",
        "np.exp(scratch, out=scratch)",
        "np.expm1(scratch, out=scratch)",
        "class ELU(",
    ),
    Fault("gelu: sign in the density", "a *= -0.5", "a *= 0.5"),
    Fault(
        "silu: sign of the second term",
        "np.subtract(1.0, scratch, out=z)",
        "np.subtract(scratch, 1.0, out=z)",
    ),
    Fault(
        "softplus: sign of the derivative",
        "delta *= scratch",
        "delta *= -scratch",
        "class Softplus(",
    ),
    Fault(
        "softmax: sign in the Jacobian",
        "delta -= np.add.reduce(scratch",
        "delta += np.add.reduce(scratch",
    ),
    Fault("exp: sign of the derivative", "delta *= a", "delta *= -a", "class Exp("),
    Fault(
        "increasing: derivatives summed in the wrong direction",
        "np.add.accumulate(delta[:, ::-1], axis=1, out=scratch[:, ::-1])",
        "np.add.accumulate(delta, axis=1, out=scratch)",
    ),
    Fault(
        "increasing: outputs in decreasing order",
        "np.add.accumulate(out, axis=1, out=out)",
        "np.subtract.accumulate(out, axis=1, out=out)",
    ),
    # Losses: `gradient`
    Fault(
        "squared_error: sign of the gradient",
        "def gradient(self, y, a, out):\n        np.subtract(a, y, out=out)",
        "def gradient(self, y, a, out):\n        np.subtract(y, a, out=out)",
        "class SquaredError(",
    ),
    Fault(
        "log_loss: sign of the gradient",
        "np.divide(y, a, out=out)\n        np.negative(out, out=out)",
        "np.divide(y, a, out=out)",
    ),
    Fault(
        "binary_log_loss: sign of the gradient",
        "np.divide(a - y, out, out=out)",
        "np.divide(y - a, out, out=out)",
    ),
    Fault(
        "absolute_error: sign of the gradient",
        "np.sign(out, out=out)",
        "np.sign(-out, out=out)",
        "class AbsoluteError(",
    ),
    Fault(
        "huber: sign of the gradient",
        "np.clip(out, -self.delta, self.delta, out=out)",
        "np.clip(-out, -self.delta, self.delta, out=out)",
    ),
    Fault(
        "quantile: gradient of the opposite quantile",
        "np.clip(sign, -q, 1.0 - q, out=sign)",
        "np.clip(sign, q - 1.0, q, out=sign)",
    ),
    Fault(
        "poisson: sign of the gradient",
        "np.subtract(1.0, out, out=out)",
        "np.subtract(out, 1.0, out=out)",
    ),
    Fault(
        "canonical pairs: sign of the output error",
        "np.subtract(a, y, out=delta)",
        "np.subtract(y, a, out=delta)",
        within="class LossKernel",
    ),
    # Network and cost
    Fault(
        "network: activation of the wrong layer",
        "layer, db = batch.layers[l - 1], batch.db[l - 1]",
        "layer, db = batch.layers[l], batch.db[l - 1]",
    ),
    Fault(
        "network: bias gradient of the first layer is zero",
        "np.dot(self.ones[: len(delta)], delta, out=db)",
        "db.fill(0.0)",
    ),
    Fault(
        "batches: last row left out",
        "slice(start, min(start + size, n_rows))",
        "slice(start, min(start + size, max(n_rows - 1, 1)))",
    ),
    Fault(
        "sample weights: not applied to the gradient",
        "delta *= row_scale",
        "delta *= scale",
    ),
    Fault(
        "sample weights: mean weight ignored",
        "np.divide(self.weight, mean_weight, out=relative",
        "np.divide(self.weight, 1.0, out=relative",
        first="_estimators/test_parity",
    ),
    Fault(
        "sample weights: penalty divided by the sum of the weights",
        "max(self.mean, self.n_weighted / self.n_rows)",
        "self.mean",
        first="_data/test_sample_weight",
    ),
    Fault(
        "sample weights: mean of chunks not weighted by rows",
        "* (other.n_rows / n_rows)",
        "* 0.5",
        first="_data/test_sample_weight",
    ),
    Fault(
        "L2 penalty: not in the gradient",
        "axpy(l2, weights, gradient)",
        "axpy(0.0, weights, gradient)",
    ),
    Fault(
        "L2 penalty: factor 1/2 missing in the cost",
        "value += 0.5 * l2 * dot(weights, weights)",
        "value += l2 * dot(weights, weights)",
    ),
    Fault(
        "L1 penalty: sign of negative weights",
        "np.sign(weights, out=scratch)",
        "np.abs(np.sign(weights), out=scratch)",
    ),
    Fault(
        "input gradients: derivative of standardization",
        "np.where(np.abs(x) < self.high, self.factor, 0.0)",
        "np.where(np.abs(x) < 0.0, self.factor, 0.0)",
    ),
    # Updates
    Fault(
        "sgd: sign of the step without momentum",
        "axpy(-rate, grad, params)\n            return",
        "axpy(rate, grad, params)\n            return",
    ),
    Fault(
        "sgd: sign of the momentum",
        "axpy(self.momentum, velocity, params)",
        "axpy(-self.momentum, velocity, params)",
    ),
    Fault(
        "adam: sign of the step",
        "axpy(-step_size, grad, params)",
        "axpy(step_size, grad, params)",
    ),
    Fault(
        "adam: bias correction of the first step only",
        "(1.0 - self.beta_1**t)",
        "(1.0 - self.beta_1)",
    ),
    Fault(
        "adam: first moment does not decay",
        "scal(self.beta_1, m)",
        "scal(1.0, m)",
    ),
    Fault(
        "adamw: decay does not follow the learning rate",
        "1.0 - rate * config.weight_decay",
        "1.0 - config.weight_decay",
    ),
    Fault(
        "rmsprop: sign of the step",
        "axpy(-rate, grad, params)",
        "axpy(rate, grad, params)",
        "class RMSProp",
    ),
    Fault(
        "optimizer: moments kept for new initial weights",
        "state.optimizer = None",
        "pass",
    ),
    Fault(
        "clip_norm: gradient lengthened",
        "gradient *= clip_norm / norm",
        "gradient *= norm / clip_norm",
    ),
    Fault(
        "max_norm: short columns lengthened",
        "np.maximum(norms, max_norm, out=norms)",
        "pass",
    ),
    # Training
    Fault(
        "early stopping: best parameters not restored",
        "self.state.network.params[...] = self.state.best_params",
        "pass",
        first="_callbacks/test_callbacks",
    ),
    Fault(
        "divergence: outputs after the last step not checked",
        "if not (largest <= self.output_limits).all():",
        "if False:",
        first="_estimators/test_divergence",
    ),
    Fault(
        "convergence: tolerance of gradients not relative",
        "gradient_tol=config.gradient_tol * gradient_scale,",
        "gradient_tol=config.gradient_tol,",
        first="_estimators/test_learning",
    ),
    Fault(
        "convergence: fits that learned nothing do not warn",
        "if loss < limit:",
        "if True:",
        first="_estimators/test_learning",
    ),
    Fault(
        "kernels: one-hot targets keep the classes of earlier batches",
        "    std::fill(y, y + rows.n_rows * n_classes, T(0));\n",
        "",
    ),
    Fault(
        "kernels: derivative of tanh",
        "return T(1) - a * a;",
        "return T(1) - a;",
    ),
    Fault(
        "kernels: NaN becomes zero in ReLU",
        "return z < T(0) ? T(0) : z;",
        "return z > T(0) ? z : T(0);",
    ),
    Fault(
        "kernels: bias is not added in the output layer",
        "const T t = zk[i * m] + bk;",
        "const T t = zk[i * m];",
    ),
    Fault(
        "kernels: errors of the columns are not summed",
        "db[j] += d;\n            }\n            continue;",
        "db[j] = d;\n            }\n            continue;",
    ),
    Fault(
        "kernels: loss without sample weights",
        "part += w[i] * loss.value(y[i], a[i], z[i * m]);",
        "part += loss.value(y[i], a[i], z[i * m]);",
    ),
    Fault(
        "kernels: quantile of the first output for all outputs",
        "const L loss(parameters[k]);\n        const T *y = (const T *)batch.y + k * "
        "batch.y_column_stride;\n        const T *a = (const T *)batch.a + k * n;\n",
        "const L loss(parameters[0]);\n        const T *y = (const T *)batch.y + k * "
        "batch.y_column_stride;\n        const T *a = (const T *)batch.a + k * n;\n",
    ),
    Fault(
        "kernels: L2 penalty on biases",
        "const Penalty none = {0.0, 0.0, 1.0, penalty.clip};",
        "const Penalty none = {penalty.l2, 0.0, 1.0, penalty.clip};",
    ),
    Fault(
        "kernels: moments are not flushed to zero",
        "return magnitude(slot) < std::numeric_limits<T>::min() ? T(0) : slot;",
        "return slot;",
    ),
    Fault(
        "kernels: inputs are not clipped from below",
        "out[j] = below < -bound[j] ? -bound[j] : below;",
        "out[j] = below;",
    ),
    Fault(
        "kernels: rows are read in their original order",
        "return (const T *)(data + (index ? index[i] : i) * stride);",
        "return (const T *)(data + i * stride);",
    ),
    Fault(
        "kernels: exp of subnormal results",
        "return x * first * second;",
        "return x * (first * second);",
    ),
    Fault(
        "kernels: missing values count as known",
        "n_known += x == x ? 1.0 : 0.0;",
        "n_known += 1.0;",
    ),
    Fault(
        "kernels: last rows do not count in the statistics of columns",
        "for (; i < rows.n_rows; ++i) f(RowGroup<In, 1>(rows, weights, i));",
        "",
    ),
    Fault(
        "kernels: zeros count as nonzero values",
        "nonzero_weight += x != 0.0 ? weight : 0.0;",
        "nonzero_weight += weight;",
    ),
    Fault(
        "kernels: infinite values count as finite",
        "n_other += T(0) * values[i] != T(0);",
        "n_other += values[i] != values[i];",
    ),
    Fault(
        "kernels: subclasses inherit the kernel",
        '"compiled_kernel" in vars(cls)',
        'hasattr(cls, "compiled_kernel")',
    ),
    Fault(
        "divergence: limits of outputs not in units of the targets",
        "return (largest - mean) / np.maximum(self.output_scale, 1.0)",
        "return largest",
        first="_estimators/test_divergence",
    ),
    Fault(
        "divergence: moments of the diverged epoch kept",
        "self.slots, self.n_updates = np.zeros_like(self.slots), 0",
        "pass",
        first="_estimators/test_divergence",
    ),
    Fault(
        "early stopping: initial weights of a warm start not a candidate",
        "if self.start is Start.CANDIDATE:",
        "if False:",
        first="_estimators/test_divergence",
    ),
    Fault(
        "n_iter_no_change: epochs counted twice",
        "_without_improvement += 1",
        "_without_improvement += 2",
    ),
    Fault("tol: ignored", " + tol\n", "\n"),
    Fault(
        "shuffle: first row stays first",
        "self.state.rng.shuffle(self.state.order)",
        "self.state.rng.shuffle(self.state.order[1:])",
    ),
    Fault(
        "loss curve: batches of different sizes weighted equally",
        "loss_sum += n_rows * self._loss_and_gradient(work",
        "loss_sum += self.config.batch_size * self._loss_and_gradient(work",
    ),
    Fault("dropout: activations not scaled", "mask *= 1.0 / ", "mask *= 1.0 or "),
    Fault(
        "dropout: gradient flows through dropped units",
        "db, scratch, self.mask)",
        "db, scratch)",
    ),
    Fault(
        "cosine: schedule shifted",
        "_half_cosine(",
        "_half_cosine(0.01 + ",
        "class Cosine(",
    ),
    Fault(
        "warm-up: one step late",
        ".step + 1 + np.arange",
        ".step + np.arange",
    ),
    Fault("invscaling: off by one", ".n_seen + 1) **", ".n_seen + 2) **"),
    Fault(
        "adaptive: stops one plateau early",
        "(n_plateaus - 1) <= ",
        "(n_plateaus) <= ",
    ),
    Fault(
        "lbfgs: gradient of the last block only",
        "gradient += block.grad",
        "gradient = block.grad.astype(np.float64)",
    ),
    Fault(
        "lbfgs: penalty not in the cost",
        "return loss + penalty, total",
        "return loss, total",
        first="_estimators/test_parity",
    ),
    Fault(
        "sparse input: step not divided by the scale of the weights",
        " -= rows / self.scale",
        " -= rows",
        first="core/test_sparse",
    ),
    Fault(
        "sparse input: stale gradient rows",
        "out.fill(0.0)",
        "pass",
        within="def sparse_gradient(",
    ),
    Fault(
        "categories: one-hot rows keep the categories of earlier batches",
        "out.fill(0.0)",
        "pass",
        within="def write_one_hot(",
        first="_data/test_mixed",
    ),
    Fault(
        "categories: weights of many categories have no gradient",
        "sparse_gradient(x.one_hot, delta, out[self.n_dense :])",
        "pass",
        first="_data/test_many",
    ),
    Fault(
        "missing values: no indicators",
        "self.write_indicators = indicator_function(X.numeric)",
        "self.write_indicators = lambda X, rows, features, out: out.fill(0.0)",
        first="_data/test_mixed",
    ),
    Fault(
        "partial fits: state shares the optimizer moments with its copy",
        "slots=self.slots.copy()",
        "slots=self.slots",
        first="_estimators/test_failing",
    ),
    # Data
    Fault(
        "class_weight: ignored",
        "class_weights[0, self.codes]",
        "np.ones(len(self.codes))",
        first="_data/test_class",
    ),
    Fault(
        "class_weight: labels swapped",
        "np.where(self.targets > 0, present, absent)",
        "np.where(self.targets > 0, absent, present)",
        first="_data/test_class",
    ),
    Fault(
        "standardize: mean of rows and columns together",
        "np.subtract(raw, self.center, out=out",
        "np.subtract(raw, self.center.mean(), out=out",
        first="_data/test_scaling",
    ),
    Fault(
        "standardize: sample weights ignored",
        "ColumnMoments.fit(X, weight)",
        "ColumnMoments.fit(X, None)",
        first="_data/test_scaling",
    ),
    Fault(
        "standardize: sign of the mean of the targets",
        "outputs += self.output_shift",
        "outputs -= self.output_shift",
        first="_data/test_scaling",
    ),
    Fault(
        "standardize: bound inside the training range",
        "RANGE_FACTOR = 10.0",
        "RANGE_FACTOR = 0.5",
        first="_data/test_scaling",
    ),
    Fault(
        "standardize: ranges of chunks not merged",
        "np.fmax(self.high, other.high),",
        "self.high,",
        first="_data/test_scaling",
    ),
    Fault(
        "standardize: missing values count in the scale",
        "np.divide(weights, weight_sum, out=weights, where=weight_sum > 0.0)",
        "weights = np.full(X.shape, 1.0 / len(X))",
        first="core/test_kernels",
    ),
    Fault(
        "standardize: missing values become one standard deviation",
        "missing[...] = inputs.replace_missing(encoding.imputation_values)",
        "missing[...] = 1.0 + inputs.replace_missing(encoding.imputation_values)",
        first="_data/test_missing_values",
    ),
    Fault(
        "ensembles: members early-stopped on their training rows",
        "held_out = samples.subset(validation_rows)",
        "held_out = samples.subset(rows)",
        first="_ensembles/test_ensembles",
    ),
    Fault(
        "ensembles: folds are not shuffled",
        "splitter(n_folds, shuffle=True, random_state=rng.randint(1 << 31))",
        "splitter(n_folds)",
        first="_ensembles/test_folds",
    ),
    Fault(
        "ensembles: folds are not stratified",
        "is_stratified = classes is not None and np.bincount(classes).max() >= n_folds",
        "is_stratified = False",
        first="_ensembles/test_folds",
    ),
    Fault(
        "ensembles: rows without weight used for training",
        "map(np.flatnonzero, (samples.weight, samples.weight == 0))",
        "(weighted, ignored)",
        first="_ensembles/test_folds",
    ),
    Fault(
        "ensembles: all members have the same random state",
        "random_state=int(rng.randint(np.iinfo(np.int32).max)),",
        "random_state=0,",
        first="_ensembles/test_ensembles",
    ),
    Fault(
        "ensembles: batches of default members larger than a fold",
        "member.batch_size = min(member.batch_size, len(fold.training))",
        "pass",
        first="_ensembles/test_ensembles",
    ),
    Fault(
        "ensembles: default number of epochs depends on the columns",
        "N_TRAINING_ROWS // shape[0]",
        "N_TRAINING_ROWS // shape[-1]",
        first="_ensembles/test_ensembles",
    ),
    Fault(
        "ensembles: default network of small data in float32",
        "if prod(shape) < MIN_FLOAT32_VALUES:",
        "if prod(shape) < 0:",
        first="_ensembles/test_ensembles",
    ),
    Fault(
        "ensembles: bins of the default network with sparse data",
        "    if issparse(X):\n",
        "    if False:\n",
        "def default_parameters(",
        first="_ensembles/test_ensembles",
    ),
    Fault(
        "ensembles: out-of-fold predictions of the last fold only",
        "np.add.at(total, fold.validation, prediction)",
        "total[fold.validation] = prediction",
        first="_ensembles/test_ensembles",
    ),
    Fault(
        "ensembles: probabilities in float32 are not normalized",
        "probabilities /= probabilities.sum(axis=1, keepdims=True)",
        "probabilities *= 1.0",
        within="def _to_predictions(self, parts, outputs):\n        targets",
        first="_ensembles/test_ensembles",
    ),
    Fault(
        "intervals: rank without the finite-sample correction",
        "return coverage * (self.n_samples + 1) * ROUNDING",
        "return coverage * self.n_samples * ROUNDING",
        first="_ensembles/test_intervals",
    ),
    Fault(
        "intervals: absolute error around the middle of the quantiles",
        "score = np.maximum(low - y[rows], y[rows] - high)",
        "score = abs(y[rows] - (low + high) / 2)",
        first="_ensembles/test_intervals",
    ),
    Fault(
        "intervals: lower bound not mirrored",
        "-_upper_bound(-lower[:, :, j], scores, weights, rank)",
        "2 * lower[:, :, j].mean(axis=0)"
        " - _upper_bound(lower[:, :, j], scores, weights, rank)",
        first="_ensembles/test_intervals",
    ),
    Fault(
        "intervals: sample weights ignored",
        "weight = np.maximum(to_unit_scale(sample_weight), 0.0)",
        "weight = np.ones(len(y))",
        first="_ensembles/test_intervals",
    ),
    Fault(
        "intervals: bounds of empty intervals are swapped",
        "is_empty = bounds[..., 0] > bounds[..., 1]",
        "bounds.sort(axis=-1); is_empty = bounds[..., 0] > bounds[..., 1]",
        first="_ensembles/test_intervals",
    ),
    Fault(
        "ONNX: members of an ensemble are summed",
        "return reduce(add, tensors) / float(len(tensors))",
        "return reduce(add, tensors)",
        first="onnx/",
    ),
    Fault(
        "samples: unaligned arrays of a message are not copied",
        'aligned = np.require(value, requirements="A") if is_array else value',
        "aligned = value",
        first="core/test_samples",
    ),
    Fault(
        "bins: first component does not continue below its bin",
        "self.minimum[self.is_first] = -EXTRAPOLATION_BOUND",
        "pass",
        first="core/test_piecewise",
    ),
    Fault(
        "bins: factor of narrow bins not limited",
        "self.high - self.low, np.maximum(smallest, info.tiny), info.max",
        "self.high - self.low, None, info.max",
        first="core/test_piecewise",
    ),
    Fault(
        "bins: both components have a derivative at an edge",
        "(start <= x) & (x < stop)",
        "(start <= x) & (x <= stop)",
        first="core/test_piecewise",
    ),
    Fault(
        "bins: kernel without the lower limit",
        "value < minimum[k] ? minimum[k] : value",
        "value",
        first="core/test_kernels",
    ),
    Fault(
        "bins: sample weights ignored",
        "np.bincount(inverse, weight)",
        "np.bincount(inverse)",
        first="_data/test_bin_edges",
    ),
    Fault(
        "bins: first rows instead of a random sample",
        "np.argpartition(keys, MAX_ROWS)[:MAX_ROWS]",
        "np.arange(MAX_ROWS)",
        first="_data/test_bin_edges",
    ),
    Fault(
        "bins: sparse rows accepted",
        "if issparse(X) and self.n_bins is not None:",
        "if False:",
        first="_estimators/test_bins",
    ),
    Fault(
        "missing values: sparse rows accepted",
        "if self.has_missing.any():",
        "if False:",
        first="_data/test_missing_values",
    ),
    Fault(
        "imputation: samples with zero weight count",
        "means, known_fraction = np.zeros((2, n_features))",
        "p = np.full(n_samples, 1.0 / n_samples)\n"
        "    means, known_fraction = np.zeros((2, n_features))",
        first="_data/test_missing_values",
    ),
    Fault(
        "warm start: first layer not adjusted to new scales",
        "network.rescale_inputs(*scalers.input_rescaling(before))",
        "pass",
        first="_estimators/test_warm_start",
    ),
    Fault(
        "lbfgs: absolute tolerance of the loss",
        '"ftol": config.loss_tol,',
        "",
        first="_estimators/test_learning",
    ),
    Fault(
        "categories: nullable integers are rounded to floats",
        "return np.array(column.to_list(), object)",
        "return np.asarray(column, float)",
        first="_data/test_unsupported_values",
    ),
    Fault(
        "checkpoint: warnings about the data are repeated",
        'warnings.simplefilter("ignore")  # the fit warns about the same data',
        "pass",
        first="_callbacks/test_checkpoint",
    ),
    Fault(
        "standardize: outputs of exp not rescaled",
        "b += np.log(factor)",
        "b += 0.0 * np.log(factor)",
        first="_data/test_output_range",
    ),
    Fault(
        "standardize: variances of chunks merged without counts",
        "(1.0 - fraction) * self.var + fraction * other.var",
        "self.var + other.var",
        first="dask/test_distributed",
    ),
    Fault(
        "missing values: zero instead of mean",
        "missing[...] = inputs.replace_missing(encoding.imputation_values)",
        "missing.fill(0.0)",
        first="_data/test_mixed",
    ),
    Fault(
        "validation split: not stratified",
        "stratify=_strata(",
        "stratify=None and (",
        first="_estimators/test_parity",
    ),
    Fault(
        "validation loss: sample weights ignored",
        "weighted = weighted.with_relative_weights(mean_weight, reader.dtype)",
        "pass",
        first="_data/test_validation",
    ),
    Fault(
        "large updates of a matrix: only the first rows",
        "for rows in row_blocks(len(A), max(1, MAX_UPDATE // b.size)):",
        "for rows in row_blocks(MAX_UPDATE // b.size, MAX_UPDATE):",
        first="core/test_blas",
    ),
    Fault(
        "copy of a network: shared parameters",
        "copied.params = self.params.copy()",
        "copied.params = self.params",
        first="_estimators/test_partial_fit_state",
    ),
    # Estimators
    Fault(
        "binary probabilities: both columns are equal",
        "np.subtract(1.0, positive, out=probabilities[:, 0])",
        "np.copyto(probabilities[:, 0], positive)",
        first="_estimators/test_parity",
    ),
    Fault(
        "labels: class with the lowest score",
        "[scores.argmax(axis=1)]",
        "[scores.argmin(axis=1)]",
        first="_estimators/test_parity",
    ),
    # Files
    Fault(
        "pickle: optimizer moments lost",
        '"history": np.array(records, float)}',
        '"history": np.array(records, float), "slots": 0 * self.slots}',
        first="test_persistence",
    ),
    Fault(
        "pickle: one number per training row",
        "training.state.order = None",
        "training.state.order = training.state.order",
        first="test_persistence",
    ),
    Fault(
        "pickle: class weights of subclasses not restored",
        'state["class_weight"] = with_keys(state["class_weight"])',
        "pass",
        first="test_persistence",
    ),
    Fault(
        "Checkpoint: written one epoch late",
        "estimator.n_iter_ % self.every",
        "(estimator.n_iter_ - 1) % self.every",
        first="_callbacks/test_checkpoint",
    ),
    Fault(
        "Checkpoint: checksum not compared",
        "if sha256(archive).digest() != ",
        "if False and ",
        first="_callbacks/test_checkpoint",
    ),
    Fault(
        "Checkpoint: random_state is not the generator of the fit",
        "if known is rng",
        "if known is None",
        first="_callbacks/test_checkpoint",
    ),
    Fault(
        "Checkpoint: parameters of the passed estimator not compared",
        "if _comparable(now) != _comparable(before)",
        "if False",
        first="_callbacks/test_checkpoint",
    ),
    Fault(
        "Checkpoint: object arrays unpickled",
        "allow_pickle=False) as arrays",
        "allow_pickle=True) as arrays",
        first="_callbacks/test_checkpoint",
    ),
    Fault(
        "load: pickles unpickled by default",
        "allow_pickle=False, trusted=()",
        "allow_pickle=True, trusted=()",
        first="test_persistence",
    ),
    # Dask and ONNX
    Fault(
        "Dask: average of the workers not weighted",
        "[n / sum(n_rows) for n in n_rows]",
        "[1 / len(n_rows) for n in n_rows]",
        first="dask/test_strategies",
    ),
    Fault(
        "Dask: optimizer step count not advanced",
        "state.n_updates += len(rates)",
        "pass",
        first="dask/test_strategies",
    ),
    Fault(
        "Dask: means of one partition only",
        "self.means + (other.means - self.means) * fraction",
        "self.means",
        first="dask/test_partition",
    ),
    Fault(
        "ONNX: derivative term of log1p dropped",
        "return log(w) - (w - 1.0 - u) / w",
        "return log(w)",
        first="onnx/",
    ),
    Fault(
        "ONNX: formula of elu",
        "exp(minimum(z, 0.0)) - 1.0",
        "exp(minimum(z, 0.0)) + 1.0",
        first="onnx/",
    ),
    Fault(
        "ONNX: targets not shifted back",
        "* model.target_scale + model.target_shift",
        "* model.target_scale",
        first="onnx/",
    ),
    # Chunks
    Fault(
        "failed chunks: random states not restored",
        "return state.copy() if draws else state.fork()",
        "return state.fork()",
        first="_estimators/test_partial_fit_state",
    ),
    Fault(
        "history: grows with the number of chunks",
        "del self.history[:n_removed]",
        "pass",
        first="_estimators/test_partial_fit_state",
    ),
    Fault(
        "assigned weights: not copied",
        "        layer[...] = array",
        "        pass",
        first="_estimators/test_weights",
    ),
    # Values that are refused or ignored
    Fault(
        "single class: probability is not constant",
        "return np.ones_like(outputs)",
        "return 0.5 * np.ones_like(outputs)",
        first="_estimators/test_single_class",
    ),
    Fault(
        "new categories: missing values are categories",
        "values[~pd.isna(values)].tolist()",
        "values.tolist()",
        first="_data/test_unsupported",
    ),
    Fault(
        "solvers: ignored parameters raise no warning",
        "_find_effective(estimator, solver.ignored)",
        "_find_effective(estimator, ())",
        first="_estimators/test_solvers",
    ),
    Fault(
        "targets: missing labels are accepted",
        'if "missing" in kinds:',
        'if "none" in kinds:',
        within="def to_target_array(",
        first="_data/test_unsupported",
    ),
]


def find(fault, sources):
    """Return the file that contains the code of a fault, and its changed source.

    Parameters
    ----------
    fault : Fault
        The change to make.
    sources : dict of str
        The source of each file of the package.

    Raises
    ------
    LookupError
        If the code does not occur exactly once.
    """
    marker = fault.within or fault.old
    n_found = sum(source.count(marker) for source in sources.values())
    if n_found != 1:
        raise LookupError(f"{fault.name}: {marker!r} occurs {n_found} times.")
    path = next(path for path, source in sources.items() if marker in source)
    source = sources[path]
    start, stop = block_around(source, marker) if fault.within else (0, len(source))
    block = source[start:stop]
    if block.count(fault.old) != 1:
        raise LookupError(
            f"{fault.name}: {fault.old!r} occurs {block.count(fault.old)} times "
            f"within {fault.within!r}."
        )
    return path, source[:start] + block.replace(fault.old, fault.new) + source[stop:]


def block_around(source, marker):
    """Return start and stop of the class or function whose first line has a marker."""
    start = source.rindex("\n", 0, source.index(marker)) + 1
    first, *rest = source[start:].splitlines(keepends=True)
    indent = len(first) - len(first.lstrip())
    stop = start + len(first)
    for line in rest:
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            break
        stop += len(line)
    return start, stop


def read_sources(root):
    """Return the source of each module, and of each header of the compiled kernels."""
    package = root / PACKAGE
    paths = [*sorted(package.rglob("*.py")), *sorted(package.rglob("*.h"))]
    return {path: path.read_text() for path in paths}


def build_kernels(root):
    """Compile the kernels; requires Cython."""
    command = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
    subprocess.run(command, cwd=root, capture_output=True, check=True)


def pytest_arguments(root, first):
    """Return the arguments of two test runs: the likely tests, then the others."""
    paths = [
        path.relative_to(root).as_posix()
        for folder in FOLDERS
        for path in sorted((root / "tests" / folder).glob("test_*.py"))
    ]
    likely = [path for path in paths if path.startswith(f"tests/{first}")]
    if not likely:
        raise LookupError(f"No test file begins with tests/{first}.")
    others = [path for path in paths if path not in likely]
    # Two processes take longer to start, which pays off only for long runs.
    return [likely, ["-n", "2", "--dist", "worksteal", *others, PACKAGE]]


def first_failure(root, tier, first):
    """Return the first test that fails, or None."""
    shutil.rmtree(root / PACKAGE / "__pycache__", ignore_errors=True)
    for path in (root / PACKAGE).rglob("__pycache__"):
        shutil.rmtree(path)
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-rfE"]
    if tier == "all":
        command += ["-m", ""]
    env = {**os.environ, "PYTHONPATH": str(root), "MPLBACKEND": "Agg"}
    for arguments in pytest_arguments(root, first):
        try:
            done = subprocess.run(
                [*command, *arguments],
                cwd=root,
                env=env,
                capture_output=True,
                text=True,
                timeout=LIMIT,
            )
        except subprocess.TimeoutExpired:
            return f"(tests ran for more than {LIMIT} s)"
        if done.returncode:
            summary = r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$"
            found = re.search(summary, done.stdout, re.MULTILINE)
            return found[1] if found else done.stdout[-500:] + done.stderr[-500:]
    return None


def try_out(faults, tier):
    """Run the tests once for each fault; return the number of faults not found."""
    n_missed = 0
    with TemporaryDirectory() as folder:
        root = Path(folder).resolve() / "copy"
        shutil.copytree(ROOT, root, ignore=NOT_COPIED)
        sources = read_sources(root)
        for fault in faults:
            path, changed = find(fault, sources)
            path.write_text(changed)
            is_compiled = path.suffix == ".h"
            if is_compiled:
                build_kernels(root)
            start = perf_counter()
            failure = first_failure(root, tier, fault.first)
            seconds = perf_counter() - start
            path.write_text(sources[path])
            if is_compiled:
                build_kernels(root)
            n_missed += failure is None
            print(f"| {fault.name} | {failure or 'NOT FOUND'} | {seconds:.0f} |")
            sys.stdout.flush()
    return n_missed


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help="part of a name")
    parser.add_argument("--tier", choices=("default", "all"), default="default")
    parser.add_argument("--check", action="store_true", help="run no tests")
    args = parser.parse_args()
    faults = [
        fault
        for fault in FAULTS
        if not args.names or any(name in fault.name for name in args.names)
    ]
    sources = read_sources(ROOT)
    for fault in faults:
        path, changed = find(fault, sources)
        if path.suffix == ".py":
            compile(changed, fault.name, "exec")
        pytest_arguments(ROOT, fault.first)
    if args.check:
        print(f"{len(faults)} faults can be applied.")
        return 0
    print("| fault | first test that fails | seconds |\n| --- | --- | ---: |")
    return int(try_out(faults, args.tier) > 0)


if __name__ == "__main__":
    sys.exit(main())
