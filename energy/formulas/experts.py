"""Mixtures of experts: who is chosen, what the chosen ones cost, and how they are put together."""

from __future__ import annotations

from enum import StrEnum
from math import expm1, log1p
from typing import NamedTuple

from energy.counts import Tally
from hwmodels import Op


class Scoring(StrEnum):
    """How a router makes weights of its logits."""

    SOFTMAX = "softmax"  #: of all experts, before the choice (Mixtral, Qwen3, OLMoE)
    SOFTMAX_CHOSEN = "softmax_chosen"  #: of the chosen ones (gpt-oss, Granite)
    SIGMOID = "sigmoid"  #: of all experts, before the choice (DeepSeek-V3)
    NEAR_BEST = "near_best"  #: of those near the largest, one choice after the other (Phi-3.5-MoE)
    SIGMOID_CHOSEN = "sigmoid_chosen"  #: of the chosen ones (Llama 4)


class Routing(NamedTuple):
    """How a router chooses."""

    experts: int  #: experts to choose from
    chosen: int  #: of each token
    scoring: Scoring
    normalised: bool = False  #: whether the weights of the chosen ones are divided by their sum
    corrected: bool = False  #: whether a learned bias is added for the choice alone
    scaled: bool = False  #: whether the weights are multiplied by a constant
    #: groups of experts, by whose best members some groups are chosen first; 0 where all compete
    groups: int = 0
    groups_chosen: int = 0  #: how many of the groups
    group_best: int = 2  #: how many members speak for a group


def expected_experts(experts: int, chosen: int, tokens: int) -> float:
    """Experts that at least one of the tokens chooses, on average: E (1 - (1 - k / E)^tokens).

    Tokens are taken to choose independently of each other, and all experts to be equally likely.
    A router that is trained to balance its load comes near the second; tokens of one text share
    experts, so that fewer are read than this says.
    """
    if tokens == 0:
        return 0.0
    if chosen >= experts:
        return float(experts)
    return -experts * expm1(tokens * log1p(-chosen / experts))


def expert_product(
    rows: int, fan_in: int, fan_out: int, used: float, *, bias: bool = False
) -> Tally:
    """A dense layer of each expert, applied to the tokens that chose it.

    Args:
        rows: Pairs of a token and an expert that it chose.
        fan_in: Entries of an input vector.
        fan_out: Entries of an output vector.
        used: Experts that any token chose, whose weights are read once each.
        bias: Whether each expert has one.
    """
    macs = rows * fan_in * fan_out
    return Tally(
        {
            Op.MAC: macs,
            Op.WEIGHT_READ: used * fan_in * fan_out,
            Op.VECTOR_READ: used * fan_out if bias else 0,
            Op.ACTIVATION_READ: rows * fan_in,
            Op.ACTIVATION_WRITE: rows * fan_out,
        },
        dense_macs=macs,
    )


def routing(tokens: int, how: Routing) -> Tally:
    """Weights and choice of experts, after the product that makes the logits.

    Per token, of E experts and k chosen ones, m = E or k of which are scored: softmax m - 1
    comparisons, 2 m - 1 additions, m exponentials, m divisions; sigmoid m exponentials, additions
    and divisions. Choice: the largest of what is left, k times, k (E - 1) - k (k - 1) / 2
    comparisons. Where they are there: correction E additions; sum of the chosen weights k - 1
    additions and k divisions; constant k multiplications; groups, of each the largest one or two
    by the same rule (and their sum), then the best groups.
    """
    experts, chosen = how.experts, how.chosen
    if how.scoring is Scoring.NEAR_BEST:
        return _near_best(tokens, experts, chosen)
    over = chosen if how.scoring in (Scoring.SOFTMAX_CHOSEN, Scoring.SIGMOID_CHOSEN) else experts
    is_softmax = how.scoring in (Scoring.SOFTMAX, Scoring.SOFTMAX_CHOSEN)
    compared = _choice(experts, chosen) + (over - 1 if is_softmax else 0)
    added = (2 * over - 1 if is_softmax else over) + (experts if how.corrected else 0)
    if how.normalised:
        added += chosen - 1
    if how.groups:
        members = experts // how.groups
        compared += how.groups * _choice(members, how.group_best)
        compared += _choice(how.groups, how.groups_chosen)
        added += how.groups * (how.group_best - 1)
    return Tally(
        {
            Op.CMP: tokens * compared,
            Op.ADD: tokens * added,
            Op.EXP: tokens * over,
            Op.DIV: tokens * (over + (chosen if how.normalised else 0)),
            Op.MUL: tokens * (chosen if how.scaled else 0),
            Op.VECTOR_READ: experts if how.corrected else 0,
            Op.ACTIVATION_READ: tokens * experts,
            Op.ACTIVATION_WRITE: tokens * chosen,
        }
    )


def _near_best(tokens: int, experts: int, chosen: int) -> Tally:
    """One choice after the other, each with a softmax of what lies near the largest score.

    Per token and choice: the largest (E - 1 comparisons), the larger of it and each |s| (E), how
    far each is below it (E subtractions and divisions), which are near (E comparisons), softmax
    (E - 1 comparisons, 2 E - 1 additions, E exponentials and divisions).

    Source: Liu, Gao and Chen, "SparseMixer", arXiv 2310.00811, as transformers runs it.
    """
    each = tokens * chosen
    return Tally(
        {
            Op.CMP: each * (4 * experts - 2),
            Op.ADD: each * (3 * experts - 1),
            Op.EXP: each * experts,
            Op.DIV: each * 2 * experts,
            Op.ACTIVATION_READ: tokens * experts,
            Op.ACTIVATION_WRITE: tokens * chosen,
        }
    )


def _choice(members: int, chosen: int) -> int:
    """Comparisons that find the largest ones, one after the other."""
    return chosen * (members - 1) - chosen * (chosen - 1) // 2


def gate(
    elements: int, *, clamped: bool = False, shifted: bool = False, swish: bool = False
) -> Tally:
    """The gate of an expert, act(g) u, element by element, where the activation is counted apart.

    Per element 1 multiplication. Clamped (both operands to a limit): 3 comparisons, of the gate
    from above and of u from both sides. Shifted (gpt-oss): u + 1, 1 addition. With `swish` the
    activation g sigmoid(a g) is part of it: 1 exponential, 1 addition, 1 division and 1
    multiplication, and 1 more by a where it is shifted.
    """
    return Tally(
        {
            Op.MUL: elements * (1 + swish + (swish and shifted)),
            Op.CMP: 3 * elements * clamped,
            Op.ADD: elements * (shifted + swish),
            Op.EXP: elements * swish,
            Op.DIV: elements * swish,
            Op.ACTIVATION_READ: 2 * elements,
            Op.ACTIVATION_WRITE: elements,
        }
    )


def weighted_sum(tokens: int, chosen: int, width: int) -> Tally:
    """Results of the chosen experts of each token, weighted and added.

    Per token and channel: k multiplications, k - 1 additions.
    """
    entries = tokens * width
    return Tally(
        {
            Op.MUL: chosen * entries,
            Op.ADD: (chosen - 1) * entries,
            Op.ACTIVATION_READ: chosen * entries + tokens * chosen,
            Op.ACTIVATION_WRITE: entries,
        }
    )
