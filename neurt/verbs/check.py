"""`check`: do the energies of a paper agree with its own numbers?"""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from energy.literature.claims import read_claims
from energy.literature.review import review
from neurt.requests.others import CheckRequest
from neurt.verbs.console import Notes, check_free
from reports.kit.files import check_output, prepare_directory, write_text
from reports.literature.claims import findings_table, print_reviews


def run(request: CheckRequest, console: Console) -> object:
    """Review the claims of a file; findings are a result, not an error."""
    if request.out is not None:
        check_output(request.out)
        name, reads = request.out.name, [request.claims, Path(request.hw)]
        check_free(request.out.parent, name, f"file {name}", request.force, reads)
    notes = Notes(console)
    claims = read_claims(request.claims, notes)
    # A claim names the prices it rests on; profiles are loaded once, before anything is printed.
    names = dict.fromkeys(claim.hw or request.hw for claim in claims)
    profiles = request.loaded(names)
    reviews = [
        review(claim, profiles[claim.hw or request.hw], tolerance=request.tolerance)
        for claim in claims
    ]
    if request.out is not None:
        prepare_directory(request.out.parent)
        write_text(request.out, findings_table(reviews).to_csv())
    print_reviews(reviews, console)
    if request.out is not None:
        console.print(f"Written to {request.out}", markup=False)
    return {"findings": findings_table(reviews), "notes": notes}
