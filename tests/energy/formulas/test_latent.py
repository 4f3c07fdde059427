from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from energy import Attention, Tally
from energy.formulas.attention import Product
from energy.formulas.latent import Latent, absorbed_attention, expanded_attention, expansion
from hwmodels import Op

#: 4 entries of the latent vector, 2 of the rotated key; 3 heads with 5 + 2 channels of Q and K and
#: 6 of V; 2 sequences.
LATENT, SEQUENCES, HEADS, NOPE, VALUE = Latent(4, 2), 2, 3, 5, 6


def parts(queries: int, keys: int) -> list[Tally]:
    product = Product(6, queries, keys, NOPE + 2, 6, Attention.FULL)
    return [
        expansion(SEQUENCES, keys, LATENT, HEADS * (NOPE + VALUE)),
        expanded_attention("scores", product, SEQUENCES, LATENT),
        expanded_attention("mix", product._replace(width=VALUE), SEQUENCES, LATENT),
    ]


def test_the_cache_holds_latent_vectors() -> None:
    total = Tally.total(parts(1, 9))
    assert total.ops[Op.KV_READ] == 2 * 9 * (4 + 2)
    assert total.ops[Op.KV_WRITE] == 2 * 1 * (4 + 2)


def test_expanded_keys_and_values_are_activations() -> None:
    made, scores, mix = parts(1, 9)
    assert made.ops[Op.MAC] == 2 * 9 * 4 * 3 * (5 + 6)
    assert made.ops[Op.WEIGHT_READ] == 4 * 3 * (5 + 6)
    assert made.ops[Op.ACTIVATION_WRITE] == 2 * 9 * 3 * (5 + 6)
    assert scores.ops[Op.MAC] == 2 * 3 * 9 * 7
    # Queries of 7 channels, and of the keys of each head the 5 that are made
    assert scores.ops[Op.ACTIVATION_READ] == 2 * 3 * 7 + 2 * 3 * 9 * 5
    assert mix.ops[Op.MAC] == 2 * 3 * 9 * 6
    assert mix.ops[Op.ACTIVATION_READ] == 2 * 3 * 9 + 2 * 3 * 9 * 6


def test_absorbed_attention_makes_no_keys() -> None:
    # One cached vector for each sequence
    found = absorbed_attention(Product(6, 1, 9, 0, 2, Attention.FULL), VALUE, NOPE, LATENT)
    assert {name: tally.ops[Op.MAC] for name, tally in found.items()} == {
        "absorb": 2 * 3 * 5 * 4,
        "scores": 2 * 3 * 9 * (4 + 2),
        "mix": 2 * 3 * 9 * 4,
        "expand": 2 * 3 * 4 * 6,
    }
    total = Tally.total(found.values())
    # W_UK and W_UV have the entries of the layer that expands.
    assert total.ops[Op.WEIGHT_READ] == 4 * 3 * (5 + 6)
    assert (total.ops[Op.KV_READ], total.ops[Op.KV_WRITE]) == (2 * 9 * 6, 2 * 6)


def test_both_forms_of_deepseek_v3_in_decode() -> None:
    # 128 heads, 512 + 64 entries, 128 + 64 channels of Q and K, 128 of V, 4,096 tokens: one layer
    latent, context = Latent(512, 64), 4096
    product = Product(128, 1, context, 192, 128, Attention.FULL)
    expanded = (
        expansion(1, context, latent, 128 * 256),
        expanded_attention("scores", product, 1, latent),
        expanded_attention("mix", product._replace(width=128), 1, latent),
    )
    assert Tally.total(expanded).dense_macs == context * (512 * 128 * 256 + 128 * (192 + 128))
    absorbed = absorbed_attention(product._replace(kv_heads=1), 128, 128, latent).values()
    total = Tally.total(absorbed)
    assert total.dense_macs == 128 * (2 * 128 * 512 + context * (576 + 512))
    # 576 entries for each token, where keys and values would be 128 x (192 + 128): 71 times as many
    assert total.ops[Op.KV_READ] == context * 576


def test_both_forms_are_one_attention_and_torch_counts_their_products() -> None:
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    keys = 9
    latents, rotated = random(SEQUENCES, keys, LATENT.rank), random(SEQUENCES, keys, LATENT.rotary)
    nope, turned = random(SEQUENCES, HEADS, NOPE), random(SEQUENCES, HEADS, LATENT.rotary)
    to_key, to_value = random(HEADS, NOPE, LATENT.rank), random(HEADS, LATENT.rank, VALUE)

    made = torch.einsum("hnr,bkr->bhkn", to_key, latents)
    both = torch.cat((made, rotated[:, None].expand(-1, HEADS, -1, -1)), -1)
    scores = torch.einsum("bhn,bhkn->bhk", torch.cat((nope, turned), -1), both)
    values = torch.einsum("hrv,bkr->bhkv", to_value, latents)
    expanded = torch.einsum("bhk,bhkv->bhv", scores.softmax(-1), values)

    with FlopCounterMode(display=False) as counter:
        query = torch.einsum("bhn,hnr->bhr", nope, to_key)
        cached = torch.cat((latents, rotated), -1)
        weights = torch.einsum("bhr,bkr->bhk", torch.cat((query, turned), -1), cached).softmax(-1)
        absorbed = torch.einsum(
            "bhr,hrv->bhv", torch.einsum("bhk,bkr->bhr", weights, latents), to_value
        )
    torch.testing.assert_close(absorbed, expanded)
    found = absorbed_attention(Product(6, 1, keys, 0, 2, Attention.FULL), VALUE, NOPE, LATENT)
    assert counter.get_total_flops() == 2 * Tally.total(found.values()).dense_macs
