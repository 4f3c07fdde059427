"""Commands move all that they give to a model, also where no accelerator is at hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from torch.utils import backend_registration

TITLES = (
    *("count", "decode", "by loss", "by output", "streamed", "Spikformer", "layer by layer"),
    "evaluate",
)
#: What is found out when a pass has ended: 0.5 is no spike, and 0, 1 and 0 are spikes.
FOUND = (
    "layer '' takes spikes, but 1 of 3 inputs are not 0 or 1",
    "layer '' took nothing but 0, 1 and -1, and was counted as dense MACs",
)


@pytest.mark.skipif(
    not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"),
    reason="this torch makes no device in Python",
)
def test_counts_on_an_accelerator_that_refuses_what_was_not_moved(tmp_path: Path) -> None:
    # In a process of its own: a device of torch cannot be taken away again.
    root = Path(__file__).parents[3]  # before the folder of the script, which has an `energy` too
    done = subprocess.run(
        [sys.executable, str(root / "tests" / "pretended.py"), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    # A line more would be a wait for the device inside a counted pass.
    assert done.stdout.splitlines() == [*(f"{title}: same" for title in TITLES), *FOUND]
