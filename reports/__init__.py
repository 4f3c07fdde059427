"""The paper: tables, pictures and files of a run."""

from reports.kit.files import OutputError, prepare_directory
from reports.run.run import PUBLISHED_SAVING, Run
from reports.write import write_prices, write_report

__all__ = [
    "PUBLISHED_SAVING",
    "OutputError",
    "Run",
    "prepare_directory",
    "write_prices",
    "write_report",
]
