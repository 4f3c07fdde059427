"""What is known of an operation of torch from its name and its schema."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from energy.meter.audit import Audit
from energy.network.products import is_product


class Operation(NamedTuple):
    """An operation of torch."""

    name: str  #: without the underscore of one that writes into its first operand
    product: bool  #: whether it is a product that is counted here
    unknown: bool  #: whether it multiplies matrices in a way that is not
    compares: bool  #: whether it says where its operand is above a threshold
    moves: bool  #: whether it moves or describes data, without arithmetic
    writes: tuple[int, str] | None  #: which operand it writes into: its place, and its name
    views: bool  #: whether what comes out shares the memory of an operand

    def written(self, args: Sequence[Any], words: Mapping[str, Any]) -> Any:
        """The operand that it writes into, if there is one."""
        if self.writes is None:
            return None
        at, name = self.writes
        return args[at] if at < len(args) else words.get(name)


_COMPARES = re.compile(r"gt|ge|lt|le|heaviside")
_LSTM = "mkldnn_rnn_layer"


def read_operation(function: Any) -> Operation:
    """What is known of an operation of torch."""
    called = function._overloadpacket.__name__
    name = called.rstrip("_") if not called.startswith("__") else called.strip("_")
    schema = function._schema
    places = (
        (at, argument.name)
        for at, argument in enumerate(schema.arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    )
    writes = next(places, None)
    shared = [x.alias_info for x in schema.returns]
    contracts = bool(Audit.CONTRACTS.search(name)) and not Audit.HARMLESS.search(name)
    contracts = contracts and name not in _NO_PRODUCTS and name != _LSTM
    product = is_product(name) and function.namespace == "aten"
    return Operation(
        name,
        product,
        contracts and not product,
        bool(_COMPARES.fullmatch(name)),
        bool(Audit.MOVES.search(name)) or name in _MOVES,
        writes,
        writes is None and any(x is not None for x in shared),
    )


#: Match the pattern of products, but are none.
_NO_PRODUCTS = {"dropout", "native_dropout", "feature_dropout", "alpha_dropout"}
#: Move entries, and are missing in the pattern of those that do.
_MOVES = {
    *("im2col", "flip", "roll", "rot90", "gather", "pixel_shuffle", "pixel_unshuffle"),
    *("_pack_padded_sequence", "_pad_packed_sequence", "constant_pad_nd"),
}
