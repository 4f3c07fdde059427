"""The flags that say how a model is converted; several commands have them."""

from __future__ import annotations

import argparse
from pathlib import Path

from neurt.spiking.config import Code, DeadZone, Form, KeyValue, SpikingConfig
from neurt.verbs.flags_training import at_least

#: Names of the flags, as argparse stores them.
FIELDS = (
    "timesteps",
    "form",
    "code",
    "attention_code",
    "key_value",
    "dead_zone",
    "threshold",
    "attention_threshold",
    "lif_quantile",
    "calibrate",
)


def add_conversion_flags(command: argparse.ArgumentParser) -> None:
    """Add the flags to a command."""
    command.add_argument(
        "--timesteps",
        type=timesteps,
        default=4,
        metavar="T",
        help="spiking time steps, 1 to 64 (default: 4)",
    )
    command.add_argument(
        "--form",
        choices=[str(form) for form in Form],
        default="spikformer",
        help="spike-based attention: binary Q, K, V without softmax, or softmax with events on Q "
        "and on the weights (default: spikformer)",
    )
    command.add_argument(
        "--code",
        choices=[str(code) for code in Code],
        default="signed_if",
        help="how analog inputs of linear layers become events (default: signed_if)",
    )
    command.add_argument(
        "--attention-code",
        choices=[str(code) for code in Code],
        help="another code for the attention block",
    )
    command.add_argument(
        "--key-value",
        choices=[str(how) for how in KeyValue],
        default="stored",
        help="softmax attention finds K and V stored as analog values, or streams their events "
        "too (default: stored)",
    )
    command.add_argument(
        "--dead-zone",
        choices=[str(how) for how in DeadZone],
        default="output",
        help="below which values of the code pow2 are silent: equally wide at the output of the "
        "layer behind, or where an accumulate saved costs the same loss everywhere, measured by "
        "gradients (default: output)",
    )
    command.add_argument(
        "--threshold",
        type=factor,
        default=1.0,
        metavar="X",
        help="factor on calibrated thresholds: higher is sparser and coarser (default: 1)",
    )
    command.add_argument(
        "--attention-threshold",
        type=factor,
        metavar="X",
        help="another factor for the attention block",
    )
    command.add_argument(
        "--lif-quantile",
        type=quantile,
        default=0.6,
        metavar="Q",
        help="where the LIF neurons of Spikformer attention have their thresholds, as a quantile "
        "of |current|: higher is sparser (default: 0.6)",
    )
    command.add_argument(
        "--calibrate",
        choices=("quantile", "mse"),
        default="quantile",
        help="range of a code: the 0.99 quantile of its input, or the least squared error "
        "(default: quantile)",
    )


def add_calibration_flags(command: argparse.ArgumentParser) -> None:
    """Add the flags that say which text a conversion is calibrated on."""
    command.add_argument(
        "--calibration",
        type=Path,
        metavar="FILE",
        help="UTF-8 text to calibrate a conversion on (default: the model's own, else Moby-Dick)",
    )
    command.add_argument(
        "--calibration-tokens",
        type=at_least(2),
        default=512,
        metavar="N",
        help="tokens of it (default: 512)",
    )


def add_detokenise_flag(command: argparse.ArgumentParser) -> None:
    """Add the flag that makes prose of WikiText."""
    command.add_argument(
        "--detokenise",
        action="store_true",
        help="undo the spacing of WikiText in the given texts: ` @-@ ` is `-` again, and so on",
    )


def conversion_of(request: argparse.Namespace) -> SpikingConfig:
    """The conversion that parsed flags ask for."""
    return SpikingConfig(
        timesteps=request.timesteps,
        form=request.form,
        code=request.code,
        attention_code=request.attention_code,
        key_value=request.key_value,
        dead_zone=request.dead_zone,
        threshold=request.threshold,
        attention_threshold=request.attention_threshold,
        lif_quantile=request.lif_quantile,
        calibrate=request.calibrate,
    )


def timesteps(text: str) -> int:
    """Read time steps, for argparse."""
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be an integer, not {text!r}") from None
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {value}")
    if value > 64:
        raise argparse.ArgumentTypeError(f"must be at most 64, not {value}")
    return value


def quantile(text: str) -> float:
    """Read a quantile above 0, for argparse."""
    value = factor(text)
    if value > 1:
        raise argparse.ArgumentTypeError(f"must be at most 1, not {text}")
    return value


def factor(text: str) -> float:
    """Read a factor above 0, for argparse."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, not {text!r}") from None
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be above 0, not {text}")
    return value
