"""How a model is converted: as it is stored with it, else as it is asked for. No torch."""

from __future__ import annotations

from typing import Protocol

from neurt.loading.source import ModelSource, resolve
from neurt.requests.base import RequestError
from neurt.spiking.config import SpikingConfig


class Converts(Protocol):
    """A request with a model and choices of its conversion."""

    @property
    def model(self) -> str | None:
        """Which model."""

    @property
    def spiking(self) -> SpikingConfig:
        """The choices."""

    @property
    def model_fields_set(self) -> set[str]:
        """Names of the fields that were given."""


def check_conversion(request: Converts) -> None:
    """Raise RequestError if a conversion is asked of a model that is converted already."""
    if request.model is not None and _asked(request):
        _check(resolve(request.model), request)


def conversion_of(source: ModelSource, request: Converts) -> SpikingConfig:
    """The conversion of a model: its own where it is a converted one, else that of the request.

    Weights are taken as random: nobody has read them.

    Raises:
        RequestError: If a converted model is asked for another one.
        SpikingConfigError: If its configuration does not say how it was converted.
    """
    _check(source, request)
    return source.conversion or request.spiking.resolved(trained=False)


def _asked(request: Converts) -> set[str]:
    calibrated = request.model_fields_set & {"calibration", "calibration_tokens", "objective"}
    return calibrated | request.spiking.model_fields_set


def _check(source: ModelSource, request: Converts) -> None:
    if source.is_converted and _asked(request):
        raise RequestError(
            f"'{request.model}' is a converted model and keeps its conversion; leave out the flags "
            "of the conversion and of its calibration, or give the analog model"
        )
