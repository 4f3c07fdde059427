"""Networks of other libraries, with their graphs."""

from __future__ import annotations

import pytest
from exported import NETWORKS, Exported, norse_membranes, quietly


@pytest.fixture(params=NETWORKS)
def exported(request: pytest.FixtureRequest) -> Exported:
    """A network of a library, with its graph."""
    return quietly(NETWORKS[request.param])


@pytest.fixture
def membranes() -> Exported:
    """A network of Norse that sends its membranes."""
    return quietly(norse_membranes)
