"""Greedy signed powers of two: the code with the fewest events for its error."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from energy import Levels
from energy.formulas.arithmetic import ARITHMETIC
from neurt.spiking.coder import Coder, Firing
from neurt.spiking.fused import Call, power_of_two
from neurt.spiking.precision import wide
from neurt.spiking.surrogate import spike

#: Samples (n, C) of an input to dead zones (C,) or a scalar.
DeadZone = Callable[[Tensor], Tensor]

#: Dead zone of the greedy code as a share of the signal, at factor 1.
DEAD_SHARE = 0.1

#: Dead zone of softmax weights at factor 1.
DEAD_WEIGHT = 0.002


def relative_dead_zone(samples: Tensor) -> Tensor:
    """A share of the root mean square of the input, the same for all channels."""
    return DEAD_SHARE * samples.square().mean().sqrt().expand(samples.shape[-1])


def output_dead_zone(weight: Tensor) -> DeadZone:
    """Dead zones that are equally wide at the output of the layer that receives the events.

    A layer with weights W (C, out) turns an error e of channel c into e ||W_c||. Were each channel
    off by an error uniform in its dead zone, the output would be off by `DEAD_SHARE` of its root
    mean square: d_c = DEAD_SHARE sqrt(3 E||x W||^2 / C) / ||W_c||.
    """

    def dead_zone(samples: Tensor) -> Tensor:
        fan_out = weight.detach().to(samples)
        signal = (samples @ fan_out).square().sum(-1).mean()
        norms = fan_out.norm(dim=1).clamp(min=torch.finfo(fan_out.dtype).tiny ** 0.5)
        zones: Tensor = DEAD_SHARE * (3 * signal / len(fan_out)).sqrt() / norms
        return zones

    return dead_zone


def score_dead_zone(keys: Tensor, scaling: float, head_width: int) -> DeadZone:
    """Dead zones of queries that blur the scores by `DEAD_SHARE` nats.

    An error e of channel c moves the scores by scaling e k_c:
    d_c = DEAD_SHARE sqrt(3 / D) / (scaling rms(k_c)).

    Args:
        keys: Keys (B, S, C) that the queries will meet.
        scaling: Factor of the scores.
        head_width: Channels D that make one score.
    """

    def dead_zone(samples: Tensor) -> Tensor:
        sizes = wide(keys.detach()).square().flatten(0, -2).mean(0).sqrt()
        sizes = sizes.clamp(min=torch.finfo(sizes.dtype).tiny ** 0.5)
        zones: Tensor = DEAD_SHARE * (3 / head_width) ** 0.5 / (scaling * sizes)
        return zones

    return dead_zone


def weight_dead_zone(samples: Tensor) -> Tensor:
    """Dead zone of softmax weights: `DEAD_WEIGHT` of the whole, whatever the samples."""
    return samples.new_tensor([DEAD_WEIGHT])


def power_below_(x: Tensor) -> Tensor:
    """Round to the power of two at or below |x|, in place, with the sign of x; 0 stays 0."""
    if x.dtype == torch.float32 and not torch._C._is_tracing():  # tracing cannot reinterpret
        x.view(torch.int32).bitwise_and_(-(1 << 23))  # sign and exponent, without the mantissa
        return x
    mantissa, exponent = torch.frexp(x)
    return x.copy_(torch.ldexp(mantissa.sign() / 2, exponent))


class PowerOfTwo(Coder):
    """At each step the signed power of two nearest to what is left, while enough is left.

    The greedy signed-digit code: each event leaves at most a third of the value, no calibration of
    range is needed, outliers cost no more than other values, and small values are silent. The
    threshold is the dead zone, which `dead_zone` finds: a value below it is silent. The digits of
    one that is not end where less than `resolution` times the dead zone is left.
    """

    levels = Levels.POWER
    arithmetic = ARITHMETIC["PowerOfTwo"]
    averages = False
    #: Dead zones (C,) for samples (n, C), at factor 1; whoever places the coder knows better ones.
    dead_zone: DeadZone = staticmethod(relative_dead_zone)
    #: Share of the largest value of a row at which the dead zone ends, so that no row is silent;
    #: None for no such end.
    ceiling: float | None = None
    #: Second zone as a share of the dead zone, at most 1.
    resolution = 1.0
    scale = None  # an event is worth its value

    @property
    def zones(self) -> int:  # type: ignore[override]
        """How many zones each channel has."""
        return 2 if self.resolution < 1 else 1

    @property
    def bounded(self) -> bool:  # type: ignore[override]
        """Whether the largest value of a row bounds its dead zone."""
        return self.ceiling is not None

    def find_threshold(self, samples: Tensor) -> Tensor:
        """Dead zones (C,) for samples (n, C) of the input."""
        return self.factor * self.dead_zone(samples)

    def kernel(self, threshold: Tensor) -> Call:
        """See `Coder.kernel`."""
        args = (threshold, self.timesteps, float(self.resolution), self.ceiling)
        return Call(power_of_two, args)

    def encode(self, x: Tensor, threshold: Tensor) -> Tensor:
        """Greedy events of x."""
        events = x.new_empty(self.timesteps, *x.shape)
        self._subtract(x, threshold, events)
        return events

    def total(self, x: Tensor, threshold: Tensor) -> Tensor:
        """What the events took from x.

        Their sum, exactly: an event is within a factor of two of what is left, so that each
        subtraction is exact, and all of them are multiples of the last digit of x.
        """
        spare, silenced = torch.empty_like(x), torch.empty_like(x)
        rest, coded = self._subtract(x, threshold, [spare] * self.timesteps, silenced)
        return torch.sub(coded, rest, out=rest)

    def _subtract(
        self, x: Tensor, threshold: Tensor, events: Iterable[Tensor], silenced: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """What is left of each value, and in the room of `silenced`, of x what is not silent."""
        coded, rest, zone = x, x, self._zone(x, threshold)
        size, fires, left = (torch.empty_like(x) for _ in range(3))
        for event in events:
            # 2^k for the k with 3/4 2^k <= |rest| < 3/2 2^k, the nearest power of two.
            power_below_(torch.mul(rest, 4 / 3, out=event))
            event.mul_(torch.ge(torch.abs(rest, out=size), zone, out=fires))
            if rest is x and self.resolution < 1:  # of what is silent now, nothing is left
                rest, zone = torch.sub(rest, event, out=left).mul_(fires), self.resolution * zone
                if silenced is not None:
                    coded = torch.mul(x, fires, out=silenced)
            else:
                rest = torch.sub(rest, event, out=left)
        return rest, coded

    def _zone(self, x: Tensor, threshold: Tensor) -> Tensor:
        if self.ceiling is None:
            return threshold
        return torch.minimum(threshold, self.ceiling * x.abs().amax(-1, keepdim=True))

    def encode_differentiably(self, x: Tensor, threshold: Tensor) -> Firing:
        """The same events, with a surrogate gradient at the zones."""
        if not threshold.requires_grad:  # a third of the work
            return super().encode_differentiably(x, threshold)
        rest, out, fired = x, [], torch.zeros(())
        zone, loud = self._zone(x, threshold), None
        for _ in range(self.timesteps):
            # In units of the zone, so that the surrogate is as sharp for each channel.
            fire = spike((rest.abs() - zone) / zone, self.alpha)
            if loud is None:
                loud, zone = fire, self.resolution * zone
            elif self.resolution < 1:
                fire = loud * fire
            event = fire * power_below_(rest * (4 / 3))
            rest = rest - event.detach()
            out.append(event)
            fired = fired + fire.mean()
        assert loud is not None  # there is a time step
        return Firing(torch.stack(out), fired, loud.mean())  # what is silent first stays silent
