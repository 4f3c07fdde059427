"""What the page of configurations holds beside its scripts: hardware, models, words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from energy.counts.counts import COUNT_COLUMNS
from hwmodels import HardwareProfile, load_profiles, profile_names
from hwmodels.prices import Evidence
from reports.kit.palette import GROUP_COLOURS
from reports.kit.parts import ACCOUNTING_NAMES, COMPONENT_NAMES, GROUP_NAMES, ORDER
from reports.page.data import world
from reports.views.tables import ENERGY_COLUMNS


def config_data(
    models: Mapping[str, str], profiles: Iterable[HardwareProfile] | None = None
) -> dict[str, Any]:
    """Everything that the scripts of the page need, as plain JSON values.

    Args:
        models: The text of the `config.json` of each model that can be chosen, by its name.
        profiles: Hardware; None for all that is shipped, but whole chips, whose prices are those of
            a server and of no operation.
    """
    found = list(load_profiles(profile_names()) if profiles is None else profiles)
    return {
        "world": world(),
        "models": list(models.items()),  # in this order
        "profiles": [
            profile.model_dump(mode="json", exclude_none=True)
            for profile in found
            if profile.whole_chip is None
        ],
        "blocks": list(ORDER.items()),
        "columns": {
            "counts": [column.name for column in COUNT_COLUMNS],
            "energy": [column.name for column in ENERGY_COLUMNS],
        },
        "evidence": {grade: grade.definition for grade in Evidence},
        "colours": {"groups": GROUP_COLOURS},
        "names": {
            "components": COMPONENT_NAMES,
            "groups": GROUP_NAMES,
            "accountings": ACCOUNTING_NAMES,
        },
    }


def whole_chips() -> list[tuple[str, str]]:
    """Name and title of the shipped hardware that the page cannot offer."""
    found = load_profiles(profile_names())
    return [(one.name, one.title) for one in found if one.whole_chip is not None]
