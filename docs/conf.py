"""How Sphinx makes the site: `make docs`. Nothing on the pages is fetched from other hosts."""

import pathlib
import sys

import memtally

sys.path.insert(0, str(pathlib.Path(__file__).parent / "_extensions"))

project = "memtally"
author = "the memtally authors"
version = release = memtally.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "typed_signatures"]
exclude_patterns = ["_extensions"]

# GitHub gives every heading an anchor, so links to headings work there and here.
myst_heading_anchors = 4

smartquotes = False  # 'live' is a Python string
default_role = "code"
nitpicky = True
nitpick_ignore_regex = [
    # The standard library's names: to link them, Sphinx would have to ask another host.
    ("py:.*", r"(?!memtally).*"),
]

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the extension's signatures come from its stub file
add_module_names = False
python_display_short_literal_types = True
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = "memtally"
html_static_path = ["_static"]
html_css_files = ["memtally.css"]
html_copy_source = False
html_show_copyright = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"
