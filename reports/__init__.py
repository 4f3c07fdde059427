"""The paper: tables, pictures and files of a run."""

from reports.kit.caveats import PUBLISHED_SAVING
from reports.kit.files import OutputError, prepare_directory
from reports.run.run import Run
from reports.views.tables import write_prices
from reports.write import write_report

__all__ = [
    "PUBLISHED_SAVING",
    "OutputError",
    "Run",
    "prepare_directory",
    "write_prices",
    "write_report",
]
