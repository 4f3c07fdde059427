"""What runs for `check`."""

from __future__ import annotations

import argparse

from energy.literature.claims import read_claims
from energy.literature.review import review
from hwmodels import load_profile
from neurt.verbs.console import terminal_console
from reports.kit.files import prepare_directory
from reports.literature.claims import print_reviews, write_reviews


def run(request: argparse.Namespace) -> None:
    """Review the claims of a file; findings are a result, not an error.

    Args:
        request: `claims`, `hw`, `tolerance` and `out`, as `neurt.verbs.flags_check` parses them.

    Raises:
        energy.literature.claims.ClaimError: If the file has no claims that can be read.
        hwmodels.ProfileError: If a profile cannot be loaded.
        reports.kit.files.OutputError: If the findings cannot be written.
    """
    claims = read_claims(request.claims)
    # A claim names the prices it rests on; profiles are loaded once, before anything is printed.
    names = dict.fromkeys(claim.hw or request.hw for claim in claims)
    profiles = {name: load_profile(name) for name in names}
    reviews = [
        review(claim, profiles[claim.hw or request.hw], tolerance=request.tolerance)
        for claim in claims
    ]
    if request.out is not None:
        prepare_directory(request.out.parent)
        write_reviews(reviews, request.out)
    console = terminal_console()
    print_reviews(reviews, console)
    if request.out is not None:
        console.print(f"Written to {request.out}", markup=False)
