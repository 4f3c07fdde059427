"""Quantised matrices are unpacked as the packages that pack them say, digit by digit."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from neurt.loading.quantised import values

GENERATOR = torch.Generator().manual_seed(0)


def numbers(low: int, high: int, *shape: int) -> Tensor:
    return torch.randint(low, high, shape, generator=torch.Generator().manual_seed(1))


def packed(codes: Tensor, bits: int) -> Tensor:
    """Words of 32 bits (rows, n) of numbers (rows, columns), by Python's own integers."""
    rows = []
    for row in codes.tolist():
        stream = sum(code << (bits * place) for place, code in enumerate(row))
        words = -(-len(row) * bits // 32)
        signed = [(stream >> (32 * word)) & 0xFFFFFFFF for word in range(words)]
        rows.append([word - 2**32 if word >= 2**31 else word for word in signed])
    return torch.tensor(rows, dtype=torch.int32)


@given(st.integers(1, 8), st.integers(1, 3), st.integers(1, 70))
def test_a_stream_of_bits_is_read_from_its_lowest(bits: int, rows: int, columns: int) -> None:
    codes = numbers(0, 2**bits, rows, columns)
    assert torch.equal(values.unpacked(packed(codes, bits), bits)[:, :columns], codes)


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_gptq_is_scale_times_code_less_zero(bits: int, ordered: bool) -> None:
    # W[o, i] = scale[g, o] (code[o, i] - zero[g, o]); groups of 32 inputs, or as g_idx says.
    out, inputs, group = 32, 64, 32
    codes, zeros = numbers(0, 2**bits, out, inputs), numbers(0, 2**bits, 2, out)
    scales = torch.rand(2, out, generator=GENERATOR).half()
    index = numbers(0, 2, inputs) if ordered else torch.arange(inputs) // group
    expected = torch.empty(out, inputs)
    for o in range(out):
        for i in range(inputs):
            g = int(index[i])
            expected[o, i] = float(scales[g, o]) * (int(codes[o, i]) - int(zeros[g, o]))
    parts = {"qweight": packed(codes, bits).T, "scales": scales}
    parts |= {"g_idx": index.int()} if ordered else {}
    # The second version of the format has zero points as they are, the first has them less one.
    second = parts | {"qzeros": packed(zeros, bits)}
    assert torch.allclose(values.gptq(second, bits, group, one_less=False), expected)
    first = parts | {"qzeros": packed((zeros - 1) % 2**bits, bits)}
    assert torch.allclose(values.gptq(first, bits, group, one_less=True), expected)


def test_awq_interleaves_its_columns() -> None:
    # Digit k of a word belongs to column (0, 2, 4, 6, 1, 3, 5, 7)[k] of its eight.
    inputs, out, group = 8, 16, 4
    codes, zeros = numbers(0, 16, inputs, out), numbers(0, 16, 2, out)
    scales = torch.rand(2, out, generator=GENERATOR).half()

    def words(x: Tensor) -> Tensor:
        order = [8 * block + k for block in range(out // 8) for k in (0, 2, 4, 6, 1, 3, 5, 7)]
        return packed(x[:, order], 4)

    parts = {"qweight": words(codes), "qzeros": words(zeros), "scales": scales}
    index = torch.arange(inputs) // group
    expected = ((codes - zeros[index]) * scales.float()[index]).T
    assert torch.allclose(values.awq(parts, group), expected)


def test_int8_rows_end_at_their_largest_weight() -> None:
    # 127 stands for the largest weight of a row, here 2 and 5.
    weight = torch.tensor([[127, -64], [0, 1]], dtype=torch.int8)
    found = values.int8({"weight": weight, "SCB": torch.tensor([2.0, 5.0])})
    assert torch.allclose(found, torch.tensor([[2.0, -64 * 2 / 127], [0.0, 5 / 127]]))


@pytest.mark.parametrize("twice", [False, True])
def test_four_bits_are_places_in_a_table_the_first_in_the_upper_half(twice: bool) -> None:
    table = torch.linspace(-1, 1, 16)
    codes, scales = numbers(0, 16, 4, 32), torch.tensor([0.5, 2.0])  # blocks of 64 entries
    pairs = codes.flatten().view(-1, 2)
    parts = {"weight": (pairs[:, 0] * 16 + pairs[:, 1]).to(torch.uint8)[:, None]}
    state = {"shape": [4, 32], "blocksize": 64}
    if twice:  # absmax = nested map[code] x nested absmax of its block + offset
        nested = torch.linspace(-1, 1, 256)
        parts |= {"absmax": torch.tensor([10, 200], dtype=torch.uint8), "nested_quant_map": nested}
        parts |= {"nested_absmax": torch.tensor([3.0])}
        state |= {"nested_blocksize": 256, "nested_offset": 0.25}
        scales = nested[[10, 200]] * 3 + 0.25
    else:
        parts |= {"absmax": scales}
    expected = (table[codes.flatten()] * scales.repeat_interleave(64)).view(4, 32)
    found = values.four_bits({**parts, "quant_map": table}, state)
    assert torch.allclose(found, expected)
    blob = torch.tensor(list(json.dumps(state).encode()), dtype=torch.uint8)
    assert values.state_of(blob) == state


def test_fp8_has_a_scale_for_each_block_of_which_the_last_may_be_cut() -> None:
    # 3 x 5 in blocks of 2 x 4: rows 0-1 and 2, columns 0-3 and 4.
    weight = torch.arange(15.0).view(3, 5)
    scale = torch.tensor([[1.0, 10.0], [100.0, 1000.0]])
    found = values.scaled({"weight": weight, "weight_scale_inv": scale}, (2, 4))
    expected = torch.tensor(
        [[0, 1, 2, 3, 40], [5, 6, 7, 8, 90], [1000, 1100, 1200, 1300, 14000]], dtype=torch.float
    )
    assert torch.equal(found, expected)


def test_mxfp4_is_a_table_times_a_power_of_two() -> None:
    # Byte 0x72: code 2 is 1, code 7 is 6; byte 0x9c: code 12 is -2, code 9 is -0.5. 2^(128-127).
    blocks = torch.tensor([0x72, 0x9C], dtype=torch.uint8).view(1, 1, 1, 2)
    found = values.mxfp4(blocks, torch.tensor([128], dtype=torch.uint8).view(1, 1, 1))
    assert torch.equal(found, 2 * torch.tensor([[[1.0], [6.0], [-2.0], [-0.5]]]))


def test_mxfp4_is_what_transformers_makes_of_it() -> None:
    mxfp4 = pytest.importorskip("transformers.integrations.mxfp4")
    blocks, scales = numbers(0, 256, 2, 8, 3, 16), numbers(120, 134, 2, 8, 3)
    expected = mxfp4.convert_moe_packed_tensors(
        blocks.to(torch.uint8), scales.to(torch.uint8), dtype=torch.float32
    )
    found = values.mxfp4(blocks.to(torch.uint8), scales.to(torch.uint8))
    assert torch.equal(found, expected)


@pytest.mark.parametrize("bits", [3, 4, 8])
def test_compressed_tensors_are_signed_and_may_have_zero_points(bits: int) -> None:
    # Whole numbers from -2^(b-1), stored with that added; zero points packed along the outputs.
    out, inputs, half = 6, 40, 2 ** (bits - 1)
    codes, zeros = numbers(-half, half, out, inputs), numbers(-half, half, out, 2)
    scale = torch.rand(out, 2, generator=GENERATOR)
    columns = torch.arange(inputs) // 20
    expected = (codes - zeros[:, columns]) * scale[:, columns]
    parts = {
        "weight_packed": packed(codes + half, bits),
        "weight_shape": torch.tensor([out, inputs]),
        "weight_scale": scale,
        "weight_zero_point": packed((zeros + half).T, bits).T,
    }
    assert torch.allclose(values.compressed(parts, bits), expected)
    plain = {"weight": codes.to(torch.int8), "weight_scale": scale, "weight_zero_point": zeros}
    assert torch.allclose(values.compressed(plain, bits), expected)


@pytest.mark.parametrize("kind", ["nf4", "fp4"])
@pytest.mark.parametrize("twice", [False, True])
def test_bitsandbytes_says_the_same(kind: str, twice: bool) -> None:
    functional = pytest.importorskip("bitsandbytes.functional")
    weight = torch.randn(64, 192, generator=GENERATOR)
    codes, state = functional.quantize_4bit(
        weight, blocksize=64, compress_statistics=twice, quant_type=kind
    )
    parts = {"weight": codes, **state.as_dict(packed=True)}
    [blob] = (x for name, x in parts.items() if "bitsandbytes__" in name)
    found = values.four_bits(parts, values.state_of(blob))
    assert torch.equal(found, functional.dequantize_4bit(codes, state))


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_compressed_tensors_says_the_same(bits: int, symmetric: bool) -> None:
    compressors = pytest.importorskip("compressed_tensors.compressors")
    quantization = pytest.importorskip("compressed_tensors.quantization")
    weight, half = torch.randn(48, 96, generator=GENERATOR), 2 ** (bits - 1)
    arguments = quantization.QuantizationArgs(
        num_bits=bits, symmetric=symmetric, strategy="group", group_size=32
    )
    scheme = quantization.QuantizationScheme(targets=["Linear"], weights=arguments)
    parts = {"weight": weight, "weight_scale": weight.view(48, 3, 32).abs().amax(-1) / half}
    if not symmetric:
        parts["weight_zero_point"] = numbers(-half, half, 48, 3).to(torch.int8)
    made = compressors.PackedQuantizationCompressor.compress(parts, scheme)
    expected = compressors.PackedQuantizationCompressor.decompress(made, scheme)["weight"]
    assert torch.allclose(values.compressed(made, bits), expected.float(), atol=1e-6)
