"""The paper: tables, pictures and files of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwmodels.lazy import lazy_exports

if TYPE_CHECKING:
    from reports.kit.caveats import PUBLISHED_SAVING as PUBLISHED_SAVING
    from reports.kit.files import OutputError as OutputError
    from reports.kit.files import prepare_directory as prepare_directory
    from reports.read import read_run as read_run
    from reports.shown import Run as Run
    from reports.sources.run import sources_bib as sources_bib
    from reports.views.tables import write_prices as write_prices
    from reports.write import write_report as write_report

__getattr__, __dir__, __all__ = lazy_exports(__name__)
