"""In which order nodes run, and which edges wait for the next time step."""

from __future__ import annotations

import pytest

from neurt.nir.graph import Graph, NIRError, Node
from neurt.nir.order import order_of


def graph(edges: str) -> Graph:
    """Nodes by their first letter: i(nput), o(utput), n(euron), w(eights), d(elay)."""
    kinds = {"i": "Input", "o": "Output", "n": "LIF", "w": "Linear", "d": "Delay"}
    pairs = tuple((a, b) for a, b in (edge.split(">") for edge in edges.split()))
    names = {name: None for pair in pairs for name in pair}
    return Graph({name: Node(kinds[name[0]], {}) for name in names}, pairs)


def late(edges: str, holding: str = "") -> set[str]:
    whole = graph(edges)
    order = order_of(whole, holding.split())
    place = {name: at for at, name in enumerate(order.nodes)}
    assert sorted(place) == sorted(whole.nodes)
    for a, b in whole.edges:  # what does not wait is there before
        assert (a, b) in order.late or b in holding.split() or place[a] < place[b]
    return {f"{a}>{b}" for a, b in order.late}


def test_a_network_without_loops_waits_for_nothing() -> None:
    assert late("i>w w>n n>w2 w2>n2 n2>o n>n2") == set()


def test_spikes_that_come_back_arrive_a_step_later() -> None:
    # The layer of the way back is behind the edge that waits: it sees silence in the first step.
    assert late("i>w w>n n>w2 w2>n n>o") == {"n>w2"}
    assert late("i>n n>n n>o") == {"n>n"}
    assert late("i>n n>w w>w2 w2>n n>o") == {"n>w"}


def test_a_loop_of_two_layers_waits_on_its_way_back() -> None:
    assert late("i>n1 n1>w1 w1>n2 n2>o n2>w2 w2>n1") == {"n2>w2"}


def test_two_layers_that_inhibit_each_other_wait_both() -> None:
    assert late("i>n1 i>n2 n1>w1 w1>n2 n2>w2 w2>n1 n1>o n2>o") == {"n1>w1", "n2>w2"}


def test_weights_on_both_ways_wait_behind_themselves() -> None:
    # w leads back to n1 and on to n3, so that only what goes back waits.
    assert late("i>n1 n1>n2 n2>w w>n1 w>n3 n3>o n3>n1") == {"w>n1", "n3>n1"}


def test_a_delay_is_enough_for_a_loop() -> None:
    assert late("i>n n>d d>n n>o", holding="d") == set()
    assert late("i>w w>d d>w w>o", holding="d") == set()
    assert late("i>n n>d d>n n>o") == {"n>d"}  # a delay of no step holds nothing


@pytest.mark.parametrize("edges", ["i>w w>w2 w2>w w>o", "i>w w>w w>o", "i>w w>d d>w w>o"])
def test_a_loop_without_state_is_refused(edges: str) -> None:
    with pytest.raises(NIRError, match="holds neither a neuron nor a Delay of at least one"):
        order_of(graph(edges), [])


def test_long_ways_need_no_recursion() -> None:
    way = [f"w{at}" for at in range(5000)]
    chain = " ".join(f"{a}>{b}" for a, b in zip(["n", *way], [*way, "n"], strict=True))
    assert late(f"i>n n>o {chain}") == {"n>w0"}
