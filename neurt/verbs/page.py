"""`page`: one HTML file in which anyone prices a configuration."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from neurt.browser.closed_form import script
from neurt.browser.models import models
from neurt.requests.others import PageRequest
from neurt.verbs.console import check_free, print_files
from neurt.version import __version__
from reports.config_page.page import config_page
from reports.kit.files import prepare_directory, write_text


def run(request: PageRequest, console: Console) -> list[Path]:
    """Make the page; returns its path."""
    check_free(request.out, "index.html", "page (index.html)", request.force)
    text = config_page(script(), models(), __version__)
    prepare_directory(request.out)
    written = [write_text(request.out / "index.html", text)]
    print_files(written, request.out, console)
    return written
