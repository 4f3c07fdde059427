"""`map`: which model costs least, over batch, context, widths and SRAM."""

from __future__ import annotations

from rich.console import Console

from neurt.requests.map import MapRequest
from neurt.verbs.console import Notes, check_free, print_files


def run(request: MapRequest, console: Console) -> object:
    """Write the maps to a directory and print them; returns the rows."""
    from neurt.measure.map import run_map
    from reports.map.table import map_table, print_maps
    from reports.map.verdict import verdict
    from reports.map.write import write_maps

    check_free(request.out, "map.csv", "map (map.csv)", request.force)
    notes = Notes(console)
    maps = run_map(request, notes)
    files = write_maps(maps, request.out, pictures=request.pictures)
    print_maps(maps, console)
    print_files(files, request.out, console)
    return {
        "map": map_table(maps),
        "verdicts": {found.profile.name: verdict(found) for found in maps},
        "notes": notes,
    }
