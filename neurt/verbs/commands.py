"""Every command: its name, what may be asked of it, what runs, and one line of help."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from neurt.requests.base import Request
from neurt.verbs.epilogs import EXAMPLES, FINETUNED, MEASURED_COLUMNS, POINTS, PRETRAINED
from neurt.verbs.flags import add_flags, flag_fields
from neurt.verbs.parser import Help, Parser, PrintVersion
from neurt.verbs.reading import read

if TYPE_CHECKING:
    from rich.console import Console


class Command(NamedTuple):
    """One command; what runs is the function `run` of the module of its name in `neurt.verbs`.

    That is given the request and the console for all talk, and returns what `--json` prints: files,
    of which the record or the tables are printed, or something else. The commands of `hw` are
    functions of one module.
    """

    name: str  #: one word, or two
    help: str  #: one line
    request: str  #: its fields are the flags: a class of `neurt.requests`, with its module
    epilog: str = ""  #: below its help

    @property
    def handler(self) -> Callable[[Any, Console], object]:
        """What runs."""
        module, _, function = self.name.partition(" ")
        found: Callable[[Any, Console], object] = getattr(
            import_module(f"neurt.verbs.{module}"), (function and f"{function}_") or "run"
        )
        return found

    @property
    def request_type(self) -> type[Request]:
        """The class whose fields are the flags."""
        module, name = self.request.split(".")
        found: type[Request] = getattr(import_module(f"neurt.requests.{module}"), name)
        return found

    def fill(self, parser: Parser) -> None:
        """Add the flags of the request to a parser."""
        request = self.request_type
        parser.elsewhere = _elsewhere
        parser.set_defaults(command=self, request=request, parser=parser, json=False, quiet=False)
        add_flags(parser, request)
        if self.name not in ("hw schema", "completion"):  # those print a text for a program
            talk = parser.add_argument_group("talk")
            talk.add_argument(
                "--json", action="store_true", help="print the result as JSON, and nothing else"
            )
            talk.add_argument("--quiet", action="store_true", help="print nothing but errors")


class Asked(NamedTuple):
    """What words on the command line ask for."""

    command: Command
    request: Request
    json: bool
    quiet: bool

    def run(self, console: Console) -> object:
        """Run the command, which holds its output directory, if it has one, until its end.

        Of the processes that `accelerate launch` starts, the first holds it for all.

        Returns:
            What the handler returns.

        Raises:
            OutputError: If the directory cannot be written, or another process holds it.
        """
        field = type(self.request).model_fields.get("out")
        if field is None or field.annotation is not Path or os.environ.get("RANK", "0") != "0":
            return self._answered(console)
        from reports.kit.files import output_directory  # late: hw and completion write none

        with output_directory(vars(self.request)["out"]):
            return self._answered(console)

    def _answered(self, console: Console) -> object:
        """The result, and below it which constants of the hardware are not its own."""
        result = self.command.handler(self.request, console)
        if changed := getattr(self.request, "set", ()):
            console.print(f"Set on the command line, for this run: {', '.join(changed)}")
        return result


COMMANDS = tuple(
    Command(*row)
    for row in (
        ("profile", "measure a model and its spiking conversion", "passes.ProfileRequest"),
        ("plan", "the same table in closed form, without weights", "passes.PlanRequest"),
        (
            "count",
            "count and price an analog model alone, of any family, or a spiking network",
            "passes.CountRequest",
        ),
        (
            "convert",
            "write the spiking version of a model as a Hugging Face directory",
            "others.ConvertRequest",
        ),
        (
            "evaluate",
            "perplexity and closeness of a spiking model beside its analog one",
            "evaluate.EvaluateRequest",
        ),
        (
            "sweep",
            "many conversions of one model: what each saves and costs in quality",
            "sweep.SweepRequest",
            POINTS,
        ),
        (
            "pretrain",
            "train a small GPT-2 from scratch",
            "training.PretrainRequest",
            PRETRAINED,
        ),
        (
            "finetune",
            "convert a model and train its spiking version",
            "finetune.FinetuneRequest",
            FINETUNED,
        ),
        ("price", "price a table of counts", "others.PriceRequest"),
        (
            "report",
            "make the report of a run again, or put several runs side by side",
            "others.ReportRequest",
        ),
        (
            "reproduce",
            "the published savings table, measured: models x time steps x constants",
            "reproduce.ReproduceRequest",
        ),
        (
            "breakeven",
            "the spike rates at which spikes stop saving energy, and a run beside them",
            "breakeven.BreakEvenRequest",
        ),
        (
            "map",
            "where a spiking model costs least, beside a dense one and one that skips silence",
            "map.MapRequest",
        ),
        (
            "sensitivity",
            "which constant of the hardware moves the saving most, and how sure the saving is",
            "others.SensitivityRequest",
        ),
        (
            "check",
            "do the energies that a paper prints agree with its own numbers?",
            "others.CheckRequest",
        ),
        (
            "page",
            "write one HTML file that prices a pasted config.json, without install or network",
            "others.PageRequest",
        ),
        ("hw list", "the profiles at hand, or the measured systems", "shelf.ListRequest"),
        ("hw show", "every number of a profile, with its source", "shelf.ShowRequest"),
        ("hw diff", "what differs between two profiles, with both sources", "shelf.DiffRequest"),
        ("hw new", "write a profile to fill in, every key explained", "shelf.NewRequest"),
        (
            "hw fit",
            "prices of a whole chip as a server, fitted on joules that you measured",
            "measured.FitRequest",
            MEASURED_COLUMNS,
        ),
        (
            "hw validate",
            "check a profile of your own, all its precisions",
            "shelf.ValidateRequest",
        ),
        ("hw schema", "the JSON Schema of a profile, for editors", "base.Request"),
        (
            "completion",
            'complete commands and flags: eval "$(neurt-energy completion bash)"',
            "others.CompletionRequest",
        ),
    )
)


def _elsewhere(flag: str) -> str:
    """The end of a sentence about a flag that a command lacks: the commands that have it."""
    meant = (flag, flag.replace("--no-", "--", 1))
    having = [
        command.name
        for command in COMMANDS
        if any(field.option in meant for field in flag_fields(command.request_type))
    ]
    return f", which is a flag of {', '.join(having)}" if having else ""


def parse(words: Sequence[str]) -> Asked:
    """What words ask for; raises UsageError if they make no sense."""
    given = vars(parser(words).parse_args(words))
    command, request, below = (given.pop(name) for name in ("command", "request", "parser"))
    as_json, quiet = given.pop("json"), given.pop("quiet")
    return Asked(command, read(below, request, given), as_json, quiet)


def parser(words: Sequence[str] | None = None) -> Parser:
    """The command line.

    Args:
        words: Only the flags of the command that they name are added, which takes time; None for
            those of all commands.
    """
    top = Parser(
        prog="neurt-energy",
        description="How much energy a language model costs, and what a spiking version saves.",
        epilog=EXAMPLES,
        formatter_class=Help,
    )
    top.add_argument("--version", action=PrintVersion, help="print the version")
    rooms = {"": top.add_subparsers(title="commands", required=True, metavar="COMMAND")}
    named = [word for word in words or () if not word.startswith("-")]
    for command in COMMANDS:
        room, _, name = command.name.rpartition(" ")
        if room not in rooms:
            below = rooms[""].add_parser(room, help="hardware profiles")
            rooms[room] = below.add_subparsers(title="commands", required=True, metavar="COMMAND")
        sub = rooms[room].add_parser(
            name,
            help=command.help,
            description=command.help,
            epilog=command.epilog,
            formatter_class=Help,
        )
        if words is None or named[: command.name.count(" ") + 1] == command.name.split():
            command.fill(sub)
    return top
