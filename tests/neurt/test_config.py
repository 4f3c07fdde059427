import pytest
from pydantic import ValidationError

from neurt.config import SpikingConfig


def test_is_frozen_and_refuses_what_it_does_not_know() -> None:
    config = SpikingConfig()
    with pytest.raises(ValidationError):
        config.timesteps = 8  # type: ignore[misc]
    with pytest.raises(ValidationError, match="time_steps"):
        SpikingConfig(time_steps=4)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "bad", [{"timesteps": 0}, {"tau": 1.0}, {"tau": float("nan")}, {"input_quantile": 0}]
)
def test_refuses_impossible_values(bad: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=next(iter(bad))):
        SpikingConfig.model_validate(bad)
