"""Each primitive does what NIR says, written out with numpy; what does not fit is refused."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from neurt.nir.given import graph_of
from neurt.nir.graph import NIRError
from neurt.nir.network import NIRNetwork

nir = pytest.importorskip("nir")

DT = 1e-4


def net(*nodes: Any, shape: tuple[int, ...] = (3,), **how: Any) -> NIRNetwork:
    """A network of one node behind the other."""
    names = ["input", *(f"n{at}" for at in range(len(nodes))), "output"]
    whole = (nir.Input(np.array(shape)), *nodes, nir.Output(None))
    graph = nir.NIRGraph(
        dict(zip(names, whole, strict=True)),
        list(pairwise(names)),
        type_check=False,
    )
    return NIRNetwork(graph_of(graph), **how)


def run(network: NIRNetwork, x: Any) -> np.ndarray[Any, Any]:
    found = network(torch.as_tensor(np.asarray(x), dtype=torch.float32))
    assert isinstance(found, Tensor)
    return found.numpy()


# Neurons -----------------------------------------------------------------------------------------

COEFFICIENT = st.floats(-2, 2)
NEURON = st.fixed_dictionaries(
    {
        "tau": st.floats(1.01, 50),  # in time steps
        "tau_syn": st.floats(1.01, 50),
        "r": st.one_of(st.just(1.0), st.floats(0.1, 20)),
        "v_leak": COEFFICIENT,
        "v_reset": COEFFICIENT,
        "v_threshold": st.floats(0.1, 2),
        "w_in": st.one_of(st.just(1.0), st.floats(0.1, 20)),
        "whole": st.booleans(),  # whether inputs are added whole, as snnTorch exports them
    }
)


def euler(kind: str, p: dict[str, float], x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The equations of NIR in steps of dt, in double precision."""
    tau, tau_syn, leak = p["tau"] * DT, p["tau_syn"] * DT, p["v_leak"]
    v = np.full(x.shape[1:], p["v_reset"] if kind == "IF" else 0.0 if kind == "I" else leak)
    current, sent = np.zeros(x.shape[1:]), []
    for step in x:
        if kind.startswith("Cuba"):
            current = current + DT / tau_syn * (-current + p["w_in"] * step)
        else:
            current = step
        if kind in ("I", "IF"):
            v = v + DT * p["r"] * current
        else:
            v = v + DT / tau * (leak - v + p["r"] * current)
        if kind.endswith("F"):
            spikes = v > p["v_threshold"]
            v = np.where(spikes, p["v_reset"], v)
            sent.append(spikes.astype(float))
        else:
            sent.append(v)
    return np.stack(sent)


def node(kind: str, p: dict[str, float]) -> Any:
    full = {name: np.full(3, value) for name, value in p.items() if name != "whole"}
    full["tau"], full["tau_syn"] = full["tau"] * DT, full["tau_syn"] * DT
    names = {
        "I": ("r",),
        "IF": ("r", "v_threshold", "v_reset"),
        "LI": ("tau", "r", "v_leak"),
        "LIF": ("tau", "r", "v_leak", "v_threshold", "v_reset"),
        "CubaLI": ("tau_syn", "r", "v_leak", "w_in"),
        "CubaLIF": ("tau_syn", "r", "v_leak", "v_threshold", "v_reset", "w_in"),
    }[kind]
    fields = {name: full[name] for name in names}
    return getattr(nir, kind)(**fields, **({"tau_mem": full["tau"]} if "Cuba" in kind else {}))


@pytest.mark.parametrize("kind", ["I", "IF", "LI", "LIF", "CubaLI", "CubaLIF"])
@given(p=NEURON, seed=st.integers(0, 2**16))
def test_neurons_are_their_equations_in_steps_of_time(
    kind: str, p: dict[str, float], seed: int
) -> None:
    if p["whole"]:
        p["r"] = 1 / DT if kind in ("I", "IF") else p["tau"]
        p["w_in"] = p["tau_syn"]
    p["v_reset"] = min(p["v_reset"], p["v_threshold"] - 0.05)
    x = np.random.default_rng(seed).normal(size=(20, 2, 3))
    expected = euler(kind, p, x)
    default = torch.get_default_dtype()
    try:  # in double precision no spike depends on the order of additions
        torch.set_default_dtype(torch.float64)
        found = net(node(kind, p))(torch.from_numpy(x))
    finally:
        torch.set_default_dtype(default)
    assert isinstance(found, Tensor)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-6)


def test_a_neuron_fires_above_its_threshold_and_with_spikingjelly_at_it() -> None:
    one = nir.IF(np.full(3, 1 / DT), np.ones(3), np.zeros(3))
    x = np.full((4, 1, 3), 0.5)  # 0.5, 1.0, 1.5 | 0.5
    assert run(net(one), x)[:, 0, 0].tolist() == [0, 0, 1, 0]
    assert run(net(one, exporter="spikingjelly"), x)[:, 0, 0].tolist() == [0, 1, 0, 1]


def test_parameters_may_be_one_number_for_all_neurons() -> None:
    whole = [np.full(3, value) for value in (1e-3, 1.0, 0.0, 0.2, 0.0)]
    x = np.random.default_rng(0).random((20, 2, 3)) * 2
    single = nir.LIF(*(np.array(value[0]) for value in whole))
    assert np.array_equal(run(net(single), x), run(net(nir.LIF(*whole)), x))


# Other nodes -------------------------------------------------------------------------------------

RANDOM = np.random.default_rng(0)


def test_affine_linear_scale_and_threshold() -> None:
    x, w, b = RANDOM.normal(size=(2, 5, 3)), RANDOM.normal(size=(4, 3)), RANDOM.normal(size=4)
    np.testing.assert_allclose(run(net(nir.Affine(w, b)), x), x @ w.T + b, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run(net(nir.Linear(w)), x), x @ w.T, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run(net(nir.Scale(b[:3])), x), x * b[:3], rtol=1e-5)
    assert np.array_equal(run(net(nir.Threshold(np.full(3, 0.5))), x), x > 0.5)


@pytest.mark.parametrize("padding", [0, 1, "same", "valid"])
def test_convolutions(padding: Any) -> None:
    x, w, b = RANDOM.normal(size=(2, 1, 4, 9)), RANDOM.normal(size=(6, 2, 3)), RANDOM.normal(size=6)
    found = run(net(nir.Conv1d(9, w, 1, padding, 2, 2, b), shape=(4, 9)), x)
    tensors = (torch.from_numpy(value) for value in (x[:, 0], w, b))
    expected = F.conv1d(*tensors, padding=padding, dilation=2, groups=2)
    np.testing.assert_allclose(found[:, 0], expected.numpy(), rtol=1e-4, atol=1e-5)
    x2, w2 = RANDOM.normal(size=(2, 1, 4, 9, 8)), RANDOM.normal(size=(6, 4, 3, 2))
    found = run(net(nir.Conv2d((9, 8), w2, 1, padding, (1, 2), 1, b), shape=(4, 9, 8)), x2)
    tensors = (torch.from_numpy(value) for value in (x2[:, 0], w2, b))
    expected = F.conv2d(*tensors, padding=padding, dilation=(1, 2))
    np.testing.assert_allclose(found[:, 0], expected.numpy(), rtol=1e-4, atol=1e-5)


def test_pools_are_sums_and_averages_of_windows() -> None:
    x = RANDOM.normal(size=(2, 1, 3, 4, 6))
    windows = x.reshape(2, 1, 3, 2, 2, 3, 2)  # rows, within; columns, within
    how = (np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))
    sums = run(net(nir.SumPool2d(*how), shape=(3, 4, 6)), x)
    np.testing.assert_allclose(sums, windows.sum((4, 6)), rtol=1e-4, atol=1e-5)
    means = run(net(nir.AvgPool2d(*how), shape=(3, 4, 6)), x)
    np.testing.assert_allclose(means, windows.mean((4, 6)), rtol=1e-4, atol=1e-5)


def test_flatten_counts_dimensions_without_the_batch() -> None:
    x = RANDOM.normal(size=(2, 5, 3, 4, 6))
    assert net(nir.Flatten(None, 0, -1), shape=(3, 4, 6)).outputs == {"output": (72,)}
    assert run(net(nir.Flatten(None, 1, 2), shape=(3, 4, 6)), x).shape == (2, 5, 3, 24)


def test_delays_may_differ_from_neuron_to_neuron() -> None:
    delays = np.array([0, 1, 3])
    x = np.arange(1, 19, dtype=float).reshape(6, 1, 3)
    expected = np.zeros_like(x)
    for at, steps in enumerate(delays):
        expected[steps:, 0, at] = x[: 6 - steps, 0, at]
    assert np.array_equal(run(net(nir.Delay(delays * DT)), x), expected)
    same = run(net(nir.Delay(np.full(3, 2 * DT))), x)
    assert np.array_equal(same[2:], x[:4])
    assert not same[:2].any()


# Graphs ------------------------------------------------------------------------------------------


def graph(nodes: dict[str, Any], edges: str) -> Any:
    pairs = [tuple(edge.split(">")) for edge in edges.split()]
    return nir.NIRGraph(nodes, pairs, type_check=False)


ENDS = {"input": nir.Input(np.array([3])), "output": nir.Output(np.array([3]))}
LEAKY = nir.LIF(*(np.full(3, x) for x in (1e-3, 10.0, 0.0, 0.7, 0.0)))


def test_a_loop_is_what_it_says_step_by_step() -> None:
    w, b = RANDOM.normal(size=(3, 3)), RANDOM.normal(size=3)
    nodes = {**ENDS, "lif": LEAKY, "back": nir.Affine(w, b)}
    network = NIRNetwork(graph_of(graph(nodes, "input>lif lif>back back>lif lif>output")))
    x = RANDOM.random(size=(30, 1, 3))
    v, z, expected = np.zeros(3), np.zeros(3), []
    for step in x[:, 0]:
        v = 0.9 * v + step + w @ z + b  # dt / tau = 0.1, times R = 10: inputs are added whole
        z = (v > 0.7).astype(float)
        v = np.where(z > 0, 0, v)
        expected.append(z)
    assert np.array_equal(run(network, x)[:, 0], np.stack(expected))
    assert np.array_equal(run(network, x)[:, 0], np.stack(expected))  # and nothing is left over


def test_a_loop_through_a_delay_takes_the_delay_and_no_step_more() -> None:
    nodes = {**ENDS, "sum": nir.Scale(np.ones(3)), "hold": nir.Delay(np.full(3, 2 * DT))}
    network = NIRNetwork(graph_of(graph(nodes, "input>sum sum>hold hold>sum sum>output")))
    x = np.zeros((6, 1, 3))
    x[0] = 1  # it comes back every two steps
    assert network.late == {}
    assert run(network, x)[:, 0, 0].tolist() == [1, 0, 1, 0, 1, 0]


def test_a_graph_inside_is_the_same_as_its_nodes() -> None:
    w = RANDOM.normal(size=(3, 3))
    inner = graph(
        {"in": nir.Input(np.array([3])), "w": nir.Linear(w), "lif": LEAKY, "out": ENDS["output"]},
        "in>lif lif>w w>lif lif>out",
    )
    middle = graph({**ENDS, "inner": inner}, "input>inner inner>output")
    outer = NIRNetwork(graph_of(graph({**ENDS, "middle": middle}, "input>middle middle>output")))
    flat = {**ENDS, "w": nir.Linear(w), "lif": LEAKY}
    plain = NIRNetwork(graph_of(graph(flat, "input>lif lif>w w>lif lif>output")))
    x = RANDOM.random(size=(30, 2, 3))
    assert np.array_equal(run(outer, x), run(plain, x))
    assert "middle.inner.lif" in dict(outer.named_modules())


def test_conventions_hold_in_graphs_inside_too() -> None:
    # As Norse writes them: a tau of 10 ms times a dt of 1 ms.
    lif = nir.LIF(*(np.full(3, x) for x in (1e-5, 1.0, 0.0, 0.3, 0.0)))
    inner = graph({**ENDS, "lif": lif}, "input>lif lif>output")
    outer = graph({**ENDS, "inner": inner}, "input>inner inner>output")
    x = RANDOM.random(size=(30, 2, 3))
    inside = run(NIRNetwork(graph_of(outer), exporter="norse"), x)
    assert np.array_equal(inside, run(NIRNetwork(graph_of(inner), exporter="norse"), x))
    assert inside.any()


def test_several_inputs_are_added_and_several_outputs_named() -> None:
    nodes = {
        "a": nir.Input(np.array([3])),
        "b": nir.Input(np.array([3])),
        "sum": nir.Scale(np.full(3, 2.0)),
        "whole": nir.Output(np.array([3])),
        "first": nir.Output(np.array([3])),
    }
    network = NIRNetwork(graph_of(graph(nodes, "a>sum b>sum sum>whole a>first")))
    a, b = torch.rand(4, 1, 3), torch.rand(4, 1, 3)
    sent = network({"a": a, "b": b})
    assert isinstance(sent, dict)
    torch.testing.assert_close(sent["whole"], 2 * (a + b))
    assert torch.equal(sent["first"], a)
    both = network(a, b)  # in the order of `inputs`
    assert isinstance(both, dict)
    assert torch.equal(both["whole"], sent["whole"])
    for wrongly in ((a,), (a, b, b), ()):
        with pytest.raises(NIRError, match=r"has 2 inputs \(a, b\), and is given"):
            network(*wrongly)


def test_whole_numbers_are_an_input_too() -> None:
    x = torch.tensor([[[0, 1, 1]], [[1, 0, 1]]], dtype=torch.uint8)
    assert torch.equal(net(nir.Scale(np.full(3, 2.0)))(x), 2.0 * x)
    with pytest.raises(NIRError, match="must be a tensor"):
        net(nir.Scale(np.ones(3)))([1, 0, 1])  # type: ignore[arg-type]


def test_a_batch_of_one_that_an_exporter_left_is_no_part_of_the_sample() -> None:
    affine = nir.Affine(np.ones((2, 3)), np.zeros(2))
    assert net(affine, shape=(1, 3)).inputs == {"input": (3,)}
    assert net(affine, shape=(5, 3)).inputs == {"input": (5, 3)}


def test_nodes_may_have_any_name() -> None:
    nodes = {**ENDS, "forward": LEAKY, "a.b": LEAKY, "": LEAKY, "type": LEAKY}
    edges = "input>forward forward>a.b a.b> >type type>output"
    network = NIRNetwork(graph_of(graph(nodes, edges)))
    assert {"forward_", "a.b", "_", "type_"} <= dict(network.named_modules()).keys()
    assert run(network, np.ones((2, 1, 3))).shape == (2, 1, 3)


# What is refused ---------------------------------------------------------------------------------


def wrong(nodes: dict[str, Any], edges: str, sentence: str, **how: Any) -> None:
    with pytest.raises(NIRError, match=sentence):
        NIRNetwork(graph_of(graph({**ENDS, **nodes}, edges)), **how)


ALONG = "input>n n>output"
THREE = np.ones(3)


@pytest.mark.parametrize(
    ("node", "sentence"),
    [
        (nir.Linear(np.ones((3, 4))), r"'n' \(Linear\) takes 4 values, and is given .*\(3,\)"),
        (nir.Linear(np.ones((4, 3))), r"Output node 'output' says .*\(3,\), and is given \(4,\)"),
        (nir.Linear(np.ones((1, 3, 3))), r"weight of the shape \(1, 3, 3\)"),
        (nir.Affine(np.ones((3, 3)), np.ones(2)), r"has \(2,\) biases for 3 outputs"),
        (nir.LI(np.full(4, 1e-3), np.ones(4), np.zeros(4)), r"takes the shape \(4,\)"),
        (nir.LI(np.full(3, 1e-5), THREE, THREE), r"tau = 1e-05 s, shorter than .*--exporter norse"),
        (nir.LI(np.full(3, np.nan), THREE, THREE), "tau of node 'n' .*not finite"),
        (nir.LI(np.full(3, -1.0), THREE, THREE), "tau = -1 s, shorter"),
        (nir.Delay(np.full(3, 0.00015)), "no whole number of time steps of 0.0001 s"),
        (nir.Delay(np.full(3, -1e-4)), "no whole number of time steps"),
        (nir.Delay(np.full(3, 1e6)), "10,000,000,000 time steps; at most 100,000"),
        (nir.Delay(np.full(3, 1e308)), "no whole number|time steps; at most 100,000"),
        (nir.Conv1d(3, np.ones((1, 1, 3)), 1, 0, 1, 1, np.ones(1)), "takes 1 channels of 1 dim"),
        (
            nir.SumPool2d(*[np.array([1, 1])] * 2, np.array([0, 0])),
            "takes channels of 2 dimensions",
        ),
        (nir.SumPool2d(np.array([0, 0]), *[np.array([1, 1])] * 2), "both sizes are at least 1"),
        (nir.SumPool2d(np.array([1, 1, 1]), *[np.array([1, 1])] * 2), "must be 2 whole numbers"),
        (nir.Flatten(None, 3, -1), r"cannot take the shape \(3,\)"),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, nir.NIRNode) else "",
)
def test_parameters_that_do_not_fit_are_refused(node: Any, sentence: str) -> None:
    wrong({"n": node}, ALONG, sentence)


@pytest.mark.parametrize(
    "node",
    [
        nir.Linear(np.full((3, 3), 1e300)),
        nir.Scale(np.full(3, 1e300)),
        nir.IF(np.full(3, 1e300), np.ones(3)),
        nir.LIF(np.ones(3), np.ones(3), np.zeros(3), np.full(3, 1e300)),
    ],
    ids=lambda x: type(x).__name__,
)
def test_what_single_precision_cannot_hold_is_refused(node: Any) -> None:
    wrong({"n": node}, ALONG, r"has a parameter that is too large for torch\.float32")


def test_parameters_of_several_shapes_are_refused() -> None:
    node = nir.LIF(*[THREE] * 5)
    node.tau = np.ones(4)
    wrong({"n": node}, ALONG, "parameters that do not fit each other: .*v_leak")


@pytest.mark.parametrize(
    ("nodes", "edges", "sentence"),
    [
        ({}, "input>n", "there is no node 'n'; did|there is no node 'n'"),
        ({}, "input>output input>output", "from 'input' to 'output' is there twice"),
        ({"n": LEAKY}, "input>output n>output", "'n' .*is given nothing; add an edge"),
        ({"n": LEAKY}, "input>output n>n", "'n' .*is not behind any Input"),
        ({"n": nir.Scale(THREE)}, "input>n n>n n>output", "the loop n -> n holds neither"),
        ({"n": nir.Input(np.array([4]))}, "input>output n>output", "shapes .* cannot be added"),
        ({"n": nir.Input(np.array([0]))}, "input>output n>output", "whole numbers from 1"),
        ({"n": nir.Input(np.array([10**6, 10**6]))}, "input>output n>output", "1,000,000,000"),
        ({"n": None}, "input>output", "is None: the library that exported the graph"),
    ],
    ids=lambda x: x if isinstance(x, str) and ">" in x else "",
)
def test_edges_that_do_not_fit_are_refused(nodes: Any, edges: str, sentence: str) -> None:
    wrong(nodes, edges, sentence)


def test_a_graph_without_ends_is_refused() -> None:
    lonely = graph({"input": ENDS["input"], "n": LEAKY}, "input>n")
    with pytest.raises(NIRError, match="the graph has no Output node"):
        graph_of(lonely)
    with pytest.raises(NIRError, match="no NIRGraph of the package nir"):
        graph_of(LEAKY)


def test_a_graph_inside_has_one_input() -> None:
    inner = graph({**ENDS, "second": nir.Input(np.array([3]))}, "input>output second>output")
    wrong({"n": inner}, ALONG, "'n' inside the graph has 2 Input nodes")


@pytest.mark.parametrize("how", [{"exporter": "lava"}, {"dt_s": 0.0}, {"dt_s": float("nan")}])
def test_a_convention_that_makes_no_sense_is_refused(how: Any) -> None:
    wrong({"n": LEAKY}, ALONG, "is not known; known are nir|makes no sense", **how)


@pytest.mark.parametrize("shape", [(4, 3), (4, 1, 4), (0, 1, 3), (4, 0, 3), (4, 1, 3, 1)])
def test_an_input_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(NIRError, match=r"must be \(time steps, samples, 3\)"):
        net(LEAKY)(torch.zeros(shape))
