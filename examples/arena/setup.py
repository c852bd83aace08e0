"""Builds the extension with memtally's header; everything else is in pyproject.toml."""

from setuptools import Extension, setup

import memtally

setup(ext_modules=[Extension("arena", ["arena.c"], include_dirs=[memtally.get_include()])])
