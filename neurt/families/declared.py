"""The declarations of all families, and which of them a model is of. No torch here."""

from __future__ import annotations

from functools import cache

from energy.counts import Label
from neurt.families.bloom import BLOOM
from neurt.families.cohere import COHERE, COHERE_NORMED
from neurt.families.deepseek import DEEPSEEK2, DEEPSEEK3
from neurt.families.falcon import FALCON
from neurt.families.family import Family
from neurt.families.gemma import GEMMA, GEMMA2, GEMMA3
from neurt.families.gpt2 import GPT2
from neurt.families.gpt_neox import GPT_NEOX
from neurt.families.gpt_oss import GPT_OSS
from neurt.families.gptj import GPTJ
from neurt.families.granite import GRANITE
from neurt.families.hybrids import BAMBA, FALCON_H1, GRANITE_HYBRID, GRANITE_HYBRID_ROTATED
from neurt.families.labels import Names
from neurt.families.llama import LLAMA
from neurt.families.llama4 import LLAMA4
from neurt.families.mamba2 import MAMBA2
from neurt.families.mixtral import MIXTRAL, OLMOE, QWEN2_MOE, QWEN3_MOE
from neurt.families.nemotron_h import NEMOTRON_H
from neurt.families.olmo import OLMO, OLMO2, OLMO3
from neurt.families.opt import OPT, OTHERS
from neurt.families.phi import PHI, PHI3, PHI_NORMED
from neurt.families.qwen3 import QWEN3
from neurt.families.qwen3_next import QWEN3_5, QWEN3_5_MOE, QWEN3_NEXT
from neurt.families.shape import Head, Shape
from neurt.families.stablelm import STABLELM, STABLELM_OTHERS, STARCODER2
from neurt.families.zamba2 import ZAMBA2

#: All of them; of a family with several layouts the one that most of its models have comes first.
FAMILIES = (
    *(
        GPT2,
        LLAMA,
        OPT,
        *OTHERS,
        QWEN3,
        GEMMA,
        GEMMA2,
        GEMMA3,
        PHI3,
        PHI,
        PHI_NORMED,
        OLMO,
        OLMO2,
        OLMO3,
        GRANITE,
    ),
    *(COHERE, COHERE_NORMED, STABLELM, *STABLELM_OTHERS, STARCODER2, GPT_NEOX),
    *(GPTJ, BLOOM, *FALCON, MIXTRAL, QWEN2_MOE, QWEN3_MOE, OLMOE, GPT_OSS, DEEPSEEK2, DEEPSEEK3),
    *(BAMBA, FALCON_H1, GRANITE_HYBRID, GRANITE_HYBRID_ROTATED, *ZAMBA2),
    *(LLAMA4, QWEN3_NEXT, QWEN3_5, QWEN3_5_MOE, MAMBA2, NEMOTRON_H),
)

#: Those that can be converted to spikes.
CONVERTED = tuple(family for family in FAMILIES if family.converted)

#: Those whose models are loaded as this package knows them; others as transformers does.
OWN = (*CONVERTED, OPT)

_BY_TYPE: dict[str, list[Family]] = {}
for _family in FAMILIES:
    for _kind in _family.classes:
        _BY_TYPE.setdefault(_kind, []).append(_family)

#: Every `model_type` that some family has.
TYPES = tuple(_BY_TYPE)

#: What the `model_type` of a converted model begins with.
SPIKING = "spiking_"


def analog_type(model_type: str) -> str:
    """The `model_type` of the analog model, given that of an analog or a converted one."""
    return model_type.removeprefix(SPIKING)


def is_converted(model_type: object) -> bool:
    """Whether the `model_type` of a `config.json` is that of a converted model."""
    return isinstance(model_type, str) and model_type.startswith(SPIKING)


def family_of(model_type: str) -> Family:
    """The family of a model of a known type, analog or converted; raises KeyError for others.

    Where it has several layouts, the first of them: see `layout`.
    """
    return _BY_TYPE[analog_type(model_type)][0]


def layout(shape: Shape) -> Family:
    """The family of a model, as its configuration lays it out."""
    return next(x for x in _BY_TYPE[shape.model_type] if x.variant == shape.variant)


#: Names that mean the same in any model.
_ANY = Names(OWN)


def label(name: str) -> Label:
    """What a layer of an analog or spiking model is, from its dotted name."""
    return _ANY.label(name)


def is_own(model_type: object) -> bool:
    """Whether a `model_type` is of a family of `OWN`, or of what is converted from one."""
    kind = analog_type(model_type) if isinstance(model_type, str) else None
    return any(kind in family.classes for family in OWN)


def has_conversion(shape: Shape) -> bool:
    """Whether a model can be converted to spikes: one of tokens, of a family that can be."""
    return layout(shape).converted and shape.head is Head.TOKENS


def not_converted(shape: Shape) -> str:
    """Why a model that is not converted has no spiking side, in a sentence."""
    family = layout(shape)
    if shape.head is not Head.TOKENS:
        return (
            f"a model that ends in {shape.labels} labels of a {shape.head} is planned, and not "
            "converted to spikes, as those that predict tokens are; `neurt-energy plan` gives its "
            "analog side"
        )
    known = ", ".join(kind for one in CONVERTED for kind in one.classes)
    return (
        f"a model of type '{shape.model_type}' ({family.name}) is counted and planned, and not "
        f"converted to spikes, as those of type {known} are; `neurt-energy plan` gives its analog "
        "side"
    )


@cache
def names_of(model_type: str) -> Names:
    """The names of the layers of models of one type; those of any model for one of no family."""
    families = _BY_TYPE.get(analog_type(model_type))
    if families is None or families[0].converted:
        return _ANY
    return Names(families)
