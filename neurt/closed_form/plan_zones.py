"""The analog model with the zones of a spiking one: what is silent there is zero here. No torch.

A value for which the spiking model would send no event, in any time step, is taken for zero: no
multiply-accumulate is done with it, and no row of weights, of K or of V fetched for it alone.
Whether it is one is found by a comparison with the zone of its channel, of values that the product
reads anyway. All other values are as they were.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from energy.counts import Counts, LayerCount, Tally
from hwmodels import Op
from neurt.spiking.feeds import coders_of

#: Coders of the second stream of a product of two: the analog model finds K and V stored.
_ARRIVING = ("key_encoder", "value_encoder")


def plan_zones(asa: Counts, ssa: Counts, active: Callable[[str], float]) -> Counts:
    """Counts of the analog model with the zones of its spiking conversion.

    Args:
        asa: The analog model.
        ssa: Its conversion, in the same pass.
        active: Share of the values that are not silent, by the name of their coder; of the inputs
            of linear layers the conversion says it.
    """
    spiking = {row.name: row for row in ssa.layers}
    coders = {name: row for name, row in spiking.items() if _has_zones(row)}

    def zoned(row: LayerCount) -> LayerCount:
        fed = [coder for coder in coders_of(row.name) if coder in coders]
        return _zoned(row, spiking[row.name].tally, active(fed[0])) if fed else row

    zones = (_zone(row, ssa.timesteps) for row in coders.values())
    return replace(asa, layers=(*map(zoned, asa.layers), *zones))


def _has_zones(row: LayerCount) -> bool:
    """Whether a row codes analog values; the currents of LIF neurons have no zone."""
    codes = row.tally.ops.get(Op.NEURON_UPDATE, 0) > 0 and row.kind != "LIF"
    return codes and not row.name.endswith(_ARRIVING)


def _zoned(row: LayerCount, spiking: Tally, active: float) -> LayerCount:
    """A product with the values that are not silent, and the rows that these need."""
    macs = spiking.active_weights  # one for each weight of an active channel
    macs = round(active * row.tally.ops[Op.MAC]) if macs is None else macs
    zoned = row.with_ops({**row.tally.ops, Op.MAC: macs})
    return replace(zoned, tally=zoned.tally.seen(*spiking.looked))


def _zone(coder: LayerCount, timesteps: int) -> LayerCount:
    """The comparisons in the place of a coder: one of each value, with the zone of its channel."""
    values = coder.tally.ops[Op.NEURON_UPDATE] / timesteps
    tally = Tally({Op.CMP: values, Op.VECTOR_READ: coder.tally.ops.get(Op.VECTOR_READ, 0)})
    return replace(coder, kind="Zone", tally=tally)
