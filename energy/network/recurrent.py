"""LSTM layers, which torch runs as one operation: their two products and their gates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torch import Tensor

from energy.counts import Tally
from energy.formulas import network
from energy.network.arrive import Events, levels_of
from energy.network.call import Call, Moved, Streamed, product_call
from energy.network.provenance import Origin
from energy.network.spikes import Spikes


def is_lstm(name: str) -> bool:
    """Whether an operation is a whole LSTM layer."""
    return name == "mkldnn_rnn_layer"


def lstm_calls(
    args: Sequence[Any], out: Tensor, look: Callable[[Tensor], Origin], name: str, known: Events
) -> Iterator[tuple[str, Call]]:
    """The products with the input and with the state of all time steps, and the gates."""
    x, inputs, states = args[0], args[1], args[2]
    shape = tuple(x.shape)
    rows, width, hidden = x.numel() // shape[-1], shape[-1], states.shape[-1]
    bias = args[3].numel() if args[3] is not None and args[3].numel() else 0
    origin = look(x)
    for part, weight, inner, spikes in (
        ("weight_ih", inputs, width, origin if isinstance(origin, Spikes) else None),
        ("weight_hh", states, hidden, None),
    ):
        macs, gates, slots = rows * inner * 4 * hidden, rows * 4 * hidden, rows * inner
        moved = Moved(weight.numel(), bias, slots, 0, gates)
        analog = tally = product_call(macs, moved, None)
        if spikes is not None:
            events = known.count(x, spikes, name)
            streamed = Streamed(events, events * 4 * hidden, slots, levels_of(spikes), inner)
            tally = product_call(macs, moved._replace(values=0, slots=slots), streamed)
        yield part, Call(tally, analog, shape=shape)
    gates_tally: Tally = network.lstm_gates(rows * hidden)
    yield "gates", Call(gates_tally, gates_tally, shape=shape)
