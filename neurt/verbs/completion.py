"""`completion`: the script that teaches a shell our commands and flags."""

from __future__ import annotations

from rich.console import Console

from neurt.requests.others import CompletionRequest


def run(request: CompletionRequest, _console: Console) -> None:
    """Print the script."""
    from argcomplete.shell_integration import shellcode

    print(shellcode(["neurt-energy"], shell=request.shell))
