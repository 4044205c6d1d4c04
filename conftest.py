"""Skip the doctests of callbacks on scikit-learn versions before 1.9."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("sklearn.callback") else ["skbackprop/_callbacks"]
