"""The way to a Ray cluster: there within seconds, or said in a line that it is not."""

from __future__ import annotations

import logging
import subprocess
import sys
from importlib.util import find_spec
from socket import create_connection
from typing import Any

from hwmodels.errors import UserError
from hwmodels.plain import printable, quoted, shortened

#: Seconds within which a cluster must let this machine in. Ray itself tries for minutes where
#: another program listens at the address.
REACHED_WITHIN_S = 15.0
#: Seconds within which somebody must listen at the address.
LISTENS_WITHIN_S = 4.0
#: Whether a cluster lets this machine in, asked in another process: Ray cannot be interrupted
#: while it tries, and ends a process that fails at it.
_ASK = (
    "import logging, ray, sys; "
    "ray.init(address=sys.argv[1], log_to_driver=False, logging_level=logging.ERROR); "
    "ray.shutdown()"
)


class ClusterError(UserError, RuntimeError):
    """A cluster that is not there, or that has no machine for a point."""


def connected(address: str) -> Any:
    """Ray, connected to a cluster; ClusterError within `REACHED_WITHIN_S` if there is none."""
    if find_spec("ray") is None:
        raise ClusterError(
            "--ray needs the package ray; install it with pip install 'neurt-energy[cluster]'"
        )
    import ray

    try:
        if address != "local":
            _reach(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        other = "" if address == "local" else "; start one (ray start --head), or give --ray local"
        raise ClusterError(
            f"no Ray cluster at {quoted(address)}: {in_a_line(error)}{other}"
        ) from error
    return ray


def _reach(address: str) -> None:
    """Raise OSError where no cluster at an address lets this machine in."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdecimal() and "/" not in host:
        create_connection((host, int(port)), timeout=LISTENS_WITHIN_S).close()
    try:
        subprocess.run(
            [sys.executable, "-c", _ASK, address],
            capture_output=True,
            text=True,
            check=True,
            timeout=REACHED_WITHIN_S - LISTENS_WITHIN_S,
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(
            f"it does not answer within {REACHED_WITHIN_S:g} s (is what listens there Ray?)"
        ) from error
    except subprocess.CalledProcessError as error:
        last = error.stderr.strip().rpartition("\n")[2]
        raise OSError(last.partition(": ")[2] or last or "Ray gave no reason") from error


def in_a_line(error: BaseException) -> str:
    """What an error of another library says, in one line that a terminal can show."""
    return shortened(printable(" ".join(str(error).split())))
