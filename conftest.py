"""Which doctests can run: callbacks came with scikit-learn 1.9."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("sklearn.callback") else ["skbackprop/_callbacks"]
