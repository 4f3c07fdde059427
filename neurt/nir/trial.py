"""Whether a file can be read at all, tried in a process of its own.

HDF5 is a format of pointers, and the library that reads it follows damaged ones into crashes and
endless loops, which no error handling of the reading process survives.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

#: What a damaged file may cost before it is given up, in seconds of a CPU.
_SECONDS = 10
#: What reading takes beside that, at the least.
_BYTES_PER_SECOND = 5_000_000

_SCRIPT = """
import sys
path, limit, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
try:
    import resource
except ImportError:
    pass
else:
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
from pathlib import Path
from neurt.nir.file import walk
from neurt.nir.graph import NIRError
try:
    walk(Path(path), None if limit < 0 else limit)
except NIRError:
    pass
"""


def gets_through(path: Path, limit_bytes: int | None, size_bytes: int) -> bool:
    """Whether a process that reads the file ends by itself, with a graph or an error.

    Args:
        path: The file.
        limit_bytes: The most that its arrays may take in memory; None for no limit.
        size_bytes: Its size.
    """
    seconds = _SECONDS + size_bytes // _BYTES_PER_SECOND
    words = [str(path), str(-1 if limit_bytes is None else limit_bytes), str(seconds)]
    try:
        ended = subprocess.run(
            [sys.executable, "-c", _SCRIPT, *words],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=20 * seconds,  # of a clock: on a busy machine they are many more than of a CPU
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        return False
    return 0 <= ended < 256  # a signal is below zero, or a code of Windows above
