"""The sources of the numbers in a report, as BibTeX."""
