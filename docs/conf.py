"""The documentation as a site: `sphinx-build -n -W --keep-going docs build/site`.

Nothing is fetched: what a page names is here, and a link that leads nowhere inside fails the build.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from generated import as_written, before_napoleon, filled, write_config_page
from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

from neurt.version import __version__

project = "neurt-energy"
author = "The neurt-energy developers"
copyright = "The neurt-energy developers, Apache-2.0"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 4  # links to headings are those that GitHub makes
highlight_language = "text"
smartquotes = False  # -- is two hyphens
default_role = "literal"  # one backtick in a docstring is code

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_use_rtype = False
nitpick_ignore_regex = [
    # What is documented elsewhere, in modules that are no part of the public interface, or named in
    # a docstring without its module. A public name that is not found still fails the build.
    ("py:.*", r"(collections|matplotlib|numpy|pandas|pathlib|pydantic|torch|transformers)\..*"),
    ("py:.*", r"(neurt|energy|reports|hwmodels)(\.\w+){2,}"),
    ("py:(class|exc)", r"\w+|[\d.]+"),
]

html_theme = "furo"
html_title = f"neurt-energy {version}"
html_static_path = ["_static"]
html_js_files = ["accessible.js"]
html_css_files = ["wide.css"]
html_show_sourcelink = html_copy_source = False


def setup(app: Sphinx) -> None:
    """What a page says between its own words is made when it is read."""
    app.add_lexer("csv", TextLexer)  # has no lexer of its own
    app.connect("source-read", filled)
    app.connect("build-finished", write_config_page)
    app.connect("autodoc-process-docstring", before_napoleon, priority=400)
    app.connect("autodoc-process-docstring", as_written, priority=600)
