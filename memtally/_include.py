"""Where the header of the C API is: in the package, or beside it in a source tree."""

import os


def get_include() -> str:
    """The folder (str, absolute) that has ``memtally.h``, the C API for other extensions.

    For a compiler's ``-I``: ``Extension(..., include_dirs=[memtally.get_include()])``. Call it from any
    thread.
    """
    package = os.path.dirname(os.path.abspath(__file__))
    installed = os.path.join(package, "include")
    return installed if os.path.isdir(installed) else os.path.join(os.path.dirname(package), "include")
