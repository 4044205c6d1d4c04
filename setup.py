"""Build of the compiled kernels. All other settings are in pyproject.toml.

The kernels are optional: without a C++ compiler, the package is pure Python.
"""

import platform
import sys

import numpy as np
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

KERNELS = "skbackprop/core/kernels"

#: Headers whose changes require a new build.
HEADERS = [
    f"{KERNELS}/{name}"
    for name in (
        "activations.h",
        "activations.pxi",
        "arrays.pxi",
        "dropout.h",
        "dropout.pxi",
        "inputs.h",
        "inputs.pxi",
        "kernels.pxi",
        "loops.h",
        "losses.h",
        "losses.pxi",
        "optimizers.h",
        "optimizers.pxi",
        "piecewise.h",
        "piecewise.pxi",
        "processor.h",
        "sparse.h",
        "sparse.pxi",
        "statistics.h",
        "statistics.pxi",
        "vector_math.h",
    )
]

#: Options of GCC and Clang. Loops with exp and sqrt are vectorized only if these
#: functions do not set errno, and if floating-point operations do not trap. Results are
#: not changed, unlike with -ffast-math.
UNIX_OPTIONS = [
    "-std=c++17",
    "-g0",
    "-O3",
    "-fopenmp-simd",
    "-fno-math-errno",
    "-fno-trapping-math",
]
AVX2_OPTIONS = ["-mavx2", "-mfma"]
MSVC_OPTIONS = ["/std:c++17", "/O2"]


def make_extension(name):
    """Return the extension of one variant of the kernels."""
    return Extension(
        f"skbackprop.core.kernels.{name}",
        [f"{KERNELS}/{name}.pyx"],
        include_dirs=[KERNELS, np.get_include()],
        define_macros=[
            ("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"),
            ("NOMINMAX", None),  # the macros of Windows would replace std::min
        ],
        depends=HEADERS,
        language="c++",
    )


class BuildKernels(build_ext):
    """Build the variants that the compiler supports, with its options."""

    def build_extensions(self):
        """Set the options of the compiler, then build the kernels."""
        is_msvc = self.compiler.compiler_type == "msvc"
        is_x86 = platform.machine() in ("x86_64", "AMD64")
        if sys.platform not in ("linux", "darwin") or not is_x86:
            self.extensions = [
                e for e in self.extensions if e.name.endswith("baseline")
            ]
        for extension in self.extensions:
            extension.extra_compile_args = MSVC_OPTIONS if is_msvc else UNIX_OPTIONS
            if extension.name.endswith("_avx2"):
                extension.extra_compile_args = UNIX_OPTIONS + AVX2_OPTIONS
        super().build_extensions()

    def build_extension(self, extension):
        """Build one variant, or explain what follows if it cannot be built."""
        try:
            super().build_extension(extension)
        # Without a compiler, the type of the error depends on the system and on the
        # version of setuptools.
        except Exception as error:
            print(
                f"{extension.name} was not built: {error}\nskbackprop works without "
                "compiled kernels, but training is slower.",
                file=sys.stderr,
            )


extensions = cythonize([make_extension("_baseline"), make_extension("_avx2")])
for extension in extensions:  # Cython does not keep this setting
    extension.optional = True

setup(
    ext_modules=extensions,
    cmdclass={"build_ext": BuildKernels},
)
