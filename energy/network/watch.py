"""Follows a pass of a network: each operation of torch is counted, and what it makes is noted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from energy.counts import Tally
from energy.formulas import network
from energy.meter.audit import UncountedOperation
from energy.meter.spikes import Arrivals
from energy.network.arrive import Events
from energy.network.call import Call, Row, part_of
from energy.network.carry import carried, ends_spikes, shares, tensors_of
from energy.network.elementwise import work
from energy.network.frame import Frame
from energy.network.given import Given
from energy.network.operation import Operation, read_operation
from energy.network.products import Choices, Product, call_of, read_product
from energy.network.provenance import ANALOG, CONSTANT, Origin, Provenance, Storages, address
from energy.network.recurrent import is_lstm, lstm_calls
from energy.network.sites import Sites
from energy.network.spikes import Spikes


class Watch(TorchDispatchMode):
    """The rows of a network, filled while it runs."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # what was compiled is run as it was written; see `count_module`

    def __init__(
        self,
        modules: Iterable[tuple[str, nn.Module]],
        neurons: Container[str],
        choices: Choices,
    ) -> None:
        """Watch modules, by name; the buffers of those that are neurons are states."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.choices = choices
        self.events = Events()
        self.rows: dict[str, Row] = {}
        self._neurons = neurons
        self.uncounted: Counter[str] = Counter()
        #: Where spikes became analog values: module and operation, with the number of calls.
        self.ends: Counter[tuple[str, str]] = Counter()
        self.frames: list[Frame] = []
        self.tick = 0  #: calls of the neurons that are the clock
        self._sites = Sites()
        #: What arrived at products from nothing declared, by row.
        self.arrived: dict[str, tuple[Arrivals, str]] = {}
        #: Modules that made a tensor.
        self.made: Storages[str] = Storages()
        self._sums: Storages[bool] = Storages()  #: results of products, with a bias or without
        self._owners: dict[int, tuple[str, str, str]] = {}
        self._operations: dict[Any, Operation] = {}
        constants = []
        for name, module in modules:
            buffers = {} if name in neurons else module._buffers
            for key, tensor in (*module._parameters.items(), *buffers.items()):
                if tensor is not None:
                    constants.append(tensor)
                    owner = name, key, type(module).__name__
                    self._owners.setdefault(address(tensor), owner)
        self.known = Provenance(constants)

    def __torch_dispatch__(  # noqa: D105 - torch calls it for each operation
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        operation = self._operations.get(func)
        if operation is None:
            operation = self._operations[func] = read_operation(func)
        words = kwargs or {}
        if operation.views:
            return func(*args, **words)
        origin = None
        if not operation.product:
            origin = carried(operation.name, args, words, self.known.of)
        ends = origin is None and not operation.product
        ends = ends and ends_spikes(operation.name, args, self.known.of)
        if ends:
            origin = ANALOG
        # Those that write change what they were given, so they are counted before.
        written = operation.written(args, words)
        if isinstance(written, Tensor) and origin is not CONSTANT:
            self._count(operation, args, words, written, ends)
        out = func(*args, **words)
        first = out if isinstance(out, Tensor) else next(iter(tensors_of((out,))), None)
        if isinstance(written, Tensor):
            self.known.write(written, origin)
        elif first is not None and not shares(first, args):
            if origin is not CONSTANT:
                self._count(operation, args, words, first, ends)
            if operation.compares and (frame := self._neuron()) is not None:
                origin = frame.kind.sends(frame.module) if frame.kind is not None else None
            if origin is not None:
                self.known.tell(first, origin)
            if operation.name == "add" and isinstance(origin, Spikes):
                self.events.merge(first, origin, args[:2])
        return out

    def add(self, row: str, kind: str, component: str, call: Call) -> None:
        """Add a call to a row; what is of another kind than the rest of it has a row of its own."""
        if row in self.rows and self.rows[row].component != component:
            row = f"{row}.{component}"
        self.rows.setdefault(row, Row(kind, component)).calls.append(call._replace(tick=self.tick))

    def note(self, tensor: Tensor, name: str, origin: Origin) -> None:
        """Note what a module made; one that hands on what another one made has not made it."""
        if self.made.get(tensor) is None:
            self.made.put(tensor, name)
        if origin is not None:
            self.known.tell(tensor, origin)

    def whole(self, operation: str, args: Sequence[Any], out: Tensor) -> None:
        """Count the one operation of the layer that is running, which nobody saw."""
        if operation != "native_batch_norm":
            self._product(operation, args, out)
        elif self.known.of(args[0]) is CONSTANT:
            self.known.tell(out, CONSTANT)
        else:
            if ends_spikes(operation, args, self.known.of):
                self.ends[self._frame().name or "the model itself", operation] += 1
                self.known.tell(out, ANALOG)
            self._batch_norm(self._frame(), args, out)

    def _neuron(self) -> Frame | None:
        """The outermost neuron that is running."""
        return self._frame().inside

    def _frame(self) -> Frame:
        return self.frames[-1] if self.frames else _OUTSIDE

    def _count(
        self,
        operation: Operation,
        args: Sequence[Any],
        words: Mapping[str, Any],
        out: Tensor,
        ends: bool,
    ) -> None:
        if operation.product and all(x.layout is torch.strided for x in tensors_of(args)):
            self._product(operation.name, args, out)
        elif is_lstm(operation.name):
            self._lstm(args, out)
        elif operation.unknown or operation.product:
            raise UncountedOperation(
                f"layer '{self._frame().name or 'the model itself'}' multiplies with "
                f"{operation.name}, which has no counting rule here (for such operands); build it "
                "from nn.Linear, convolutions or matmul of dense tensors"
            )
        elif self.frames and self._neuron() is None:
            if out.is_floating_point():
                self._elementwise(operation, args, words, out)
            if ends:
                self.ends[self._frame().name or "the model itself", operation.name] += 1

    def _elementwise(
        self, operation: Operation, args: Sequence[Any], words: Mapping[str, Any], out: Tensor
    ) -> None:
        frame = self._frame()
        if operation.name in _BATCH_NORMS:
            self._batch_norm(frame, args, out)
            return
        given = Given(operation.name, args, words, out, self.known.of, frame.name, self.events)
        found = work(given)
        if found is not None:
            call = _called(frame, args, found.tally, found.analog)
            kind = operation.name if frame.module._modules else type(frame.module).__name__
            self.add(self._sites.row(frame, operation.name), kind, found.component, call)
        elif not operation.moves:
            self.uncounted[operation.name] += 1

    def _batch_norm(self, frame: Frame, args: Sequence[Any], out: Tensor) -> None:
        biased, channels = self._sums.get(args[0]), out.shape[1]
        folded = self.choices.folded and biased is not None
        tally = network.batch_norm(out.numel(), channels, folded=folded)
        if folded and biased:  # it changes a bias that is there
            tally = Tally()
        call = _called(frame, args, tally, tally)
        self.add(self._sites.row(frame, "batch_norm"), type(frame.module).__name__, "norm", call)

    def _product(self, operation: str, args: Sequence[Any], out: Tensor) -> None:
        padded = self.choices.padded
        product = read_product(operation, args, out, self.known.of, padded=padded)
        if product.left.constant and product.right.constant:
            self.known.tell(out, CONSTANT)
            return
        row, kind, component = self._name(operation, product)
        for side in product.sides:
            if side.undeclared:
                self.arrive(row, side.tensor)
        call = call_of(product, row, self.events, padded=padded)
        shape = self._frame().shape
        self.add(row, kind, component, call._replace(shape=shape) if shape else call)
        self._sums.put(out, product.bias is not None)

    def _name(self, operation: str, product: Product) -> tuple[str, str, str]:
        """Row, kind and component of a product."""
        frame, weight = self._frame(), product.weight
        if weight is None:
            return self._sites.row(frame, "product"), "Product", "product"
        component = "conv" if operation == "convolution" else "linear"
        if frame.whole is not None and frame.whole.weight is weight.tensor:
            return frame.name or component, type(frame.module).__name__, component
        at = address(weight.tensor)
        own = ((x, key) for key, x in frame.module._parameters.items() if x is not None)
        key = next((key for x, key in own if address(x) == at), None)
        where, key, kind = (
            (frame.name, key or "", type(frame.module).__name__)
            if key is not None or at not in self._owners
            else self._owners[at]
        )
        words = [where, "" if key == "weight" and where not in self._neurons else key]
        return ".".join(word for word in words if word) or component, kind, component

    def arrive(self, row: str, tensor: Tensor) -> None:
        """Look at what arrived from nothing declared, until it is plainly analog."""
        arrived, maker = self.arrived.get(row, (None, ""))
        if arrived is None:
            arrived, maker = Arrivals(row), self.made.get(tensor) or ""
            self.arrived[row] = arrived, maker
        if not arrived.analog:
            arrived.see(tensor)

    def _lstm(self, args: Sequence[Any], out: Tensor) -> None:
        frame = self._frame()
        for part, call in lstm_calls(args, out, self.known.of, frame.name, self.events):
            self.add(
                f"{frame.name}.{part}".lstrip("."), type(frame.module).__name__, "recurrent", call
            )


_BATCH_NORMS = ("native_batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm")
_OUTSIDE = Frame("", nn.Module())


def _called(frame: Frame, args: Sequence[Any], tally: Tally, analog: Tally) -> Call:
    first = next(iter(tensors_of(args)), None)
    if first is None:
        return Call(tally, analog, shape=frame.shape)
    return Call(tally, analog, shape=frame.shape or tuple(first.shape), part=part_of(first))
