"""Conversion of values to JSON and numeric arrays, and back, without running code.

JSON values are stored as they are. Each other value becomes a dict with one entry, from
the kind of the value to JSON. Arrays are stored separately, under consecutive names.
"""

import sys

import numpy as np

#: Bit generators of the random number generators that can be stored.
BIT_GENERATORS = {
    cls.__name__: cls
    for cls in (
        np.random.MT19937,
        np.random.PCG64,
        np.random.PCG64DXSM,
        np.random.Philox,
        np.random.SFC64,
    )
}

#: Kinds of dtypes of the arrays that are stored without pickle.
ARRAY_KINDS = "biufcSUmM"


class NotPlainError(ValueError):
    """Error for a value that cannot be stored as JSON and arrays."""


class Encoder:
    """Conversion of values to JSON and arrays.

    Parameters
    ----------
    types : iterable of type, default=()
        Classes whose instances are stored by the name of the class and the state that
        `__getstate__` returns.

    Attributes
    ----------
    arrays : dict
        Arrays by name.
    """

    def __init__(self, types=()):
        self.arrays = {}
        self.generators = []
        self.encoders = {
            tuple: ("tuple", self._encode_items),
            dict: ("dict", self._encode_dict),
            np.ndarray: ("array", self._encode_array),
            np.memmap: ("array", self._encode_array),
            np.generic: ("scalar", self._encode_array),
            np.random.RandomState: ("RandomState", self._encode_random_state),
            np.random.Generator: ("Generator", self._encode_generator),
            **dict.fromkeys(_interval_types(), ("Interval", self._encode_interval)),
            **{cls: (cls.__name__, self._encode_state) for cls in types},
        }

    def encode(self, value):
        """Convert a value to JSON.

        Parameters
        ----------
        value : object
            None, a bool, int, float or str; an array, NumPy scalar, random number
            generator or instance of one of the types; or a list, tuple or dict of such
            values.

        Returns
        -------
        object
            JSON value that refers to `arrays`.

        Raises
        ------
        NotPlainError
            If the value has another type.
        """
        if value is None or type(value) in (bool, int, float, str):
            return value
        if type(value) is list:
            return self._encode_items(value)
        cls = np.generic if isinstance(value, np.generic) else type(value)
        if cls not in self.encoders:
            name = type(value).__name__
            raise NotPlainError(f"An object of type {name} cannot be stored as JSON.")
        kind, encode = self.encoders[cls]
        return {kind: encode(value)}

    def _encode_items(self, values):
        return [self.encode(value) for value in values]

    def _encode_dict(self, values):
        return [[self.encode(key), self.encode(item)] for key, item in values.items()]

    def _encode_array(self, array):
        array = np.asarray(array)
        if array.dtype.kind == "O":
            return [list(array.shape), self._encode_items(array.ravel().tolist())]
        if array.dtype.kind not in ARRAY_KINDS or array.dtype.names:
            raise NotPlainError(f"An array of dtype {array.dtype} cannot be stored.")
        name = str(len(self.arrays))
        self.arrays[name] = array
        return name

    def _encode_random_state(self, rng):
        return self._encode_shared(rng, rng.get_state(legacy=False))

    def _encode_generator(self, rng):
        return self._encode_shared(rng, rng.bit_generator.state)

    def _encode_shared(self, rng, state):
        """Store a generator once, even if several values refer to it."""
        for index, known in enumerate(self.generators):
            if known is rng:
                return [index, None]
        self.generators.append(rng)
        return [len(self.generators) - 1, self.encode(state)]

    def _encode_interval(self, interval):
        ends = self._encode_items([interval.left, interval.right])
        return [*ends, interval.closed]

    def _encode_state(self, instance):
        return self.encode(instance.__getstate__() or {})


class Decoder:
    """Conversion of JSON and arrays to values; inverse of `Encoder`.

    Parameters
    ----------
    arrays : mapping
        Arrays by name.
    types : iterable of type, default=()
        Classes whose instances may be created.
    """

    def __init__(self, arrays, types=()):
        self.arrays = arrays
        self.generators = []
        self.types = {cls.__name__: cls for cls in types}
        self.decoders = {
            "tuple": lambda items: tuple(self.decode(items)),
            "dict": lambda items: dict(self.decode(items)),
            "array": self._decode_array,
            "scalar": lambda name: self._decode_array(name)[()],
            "RandomState": self._decode_random_state,
            "Generator": self._decode_generator,
            "Interval": self._decode_interval,
        }

    def decode(self, data):
        """Convert JSON to a value.

        Parameters
        ----------
        data : object
            Value that ``Encoder.encode`` returned.

        Returns
        -------
        object
        """
        if isinstance(data, list):
            return [self.decode(item) for item in data]
        if not isinstance(data, dict):
            return data
        ((kind, content),) = data.items()
        if kind in self.types:
            return self._decode_state(self.types[kind], content)
        return self.decoders[kind](content)

    def _decode_array(self, content):
        if isinstance(content, str):
            return self.arrays[content]
        shape, items = content
        array = np.empty(len(items), object)
        array[:] = self.decode(items)
        return array.reshape(shape)

    def _decode_random_state(self, content):
        return self._decode_shared(content, _make_random_state)

    def _decode_generator(self, content):
        return self._decode_shared(content, _make_generator)

    def _decode_shared(self, content, make):
        index, state = content
        if state is not None:
            self.generators.append(make(self.decode(state)))
        return self.generators[index]

    def _decode_interval(self, content):
        import pandas as pd

        return pd.Interval(*self.decode(content))

    def _decode_state(self, cls, content):
        instance, state = cls.__new__(cls), self.decode(content)
        if hasattr(instance, "__setstate__"):
            instance.__setstate__(state)
        else:
            vars(instance).update(state)
        return instance


def is_plain(value):
    """Return whether a value can be stored as JSON and arrays."""
    try:
        Encoder().encode(value)
    except (NotPlainError, RecursionError):
        return False
    return True


def _make_random_state(state):
    rng = np.random.RandomState(BIT_GENERATORS[state["bit_generator"]]())
    rng.set_state(state)
    return rng


def _make_generator(state):
    bit_generator = BIT_GENERATORS[state["bit_generator"]]()
    bit_generator.state = state
    return np.random.Generator(bit_generator)


def _interval_types():
    """Return the type of categories of `pandas.cut`, if pandas is imported."""
    pandas = sys.modules.get("pandas")
    return () if pandas is None else (pandas.Interval,)
