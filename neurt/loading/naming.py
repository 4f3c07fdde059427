"""What the layers of a decoder are, from their names, where no family declares them."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from transformers import PreTrainedModel

from energy.counts import Label
from energy.layers.elementwise import Multiply, Rotary
from energy.layers.matmul import AttentionCore
from neurt.families import names_of

#: The parts of a module that holds the weights of all experts.
_EXPERTS = {
    **dict.fromkeys(("gate_up_proj", "up_proj"), "ffn_up"),
    **dict.fromkeys(("multiply", "act_fn"), "activation"),
    **dict.fromkeys(("down_proj", "weighted_sum"), "ffn_down"),
}


def naming(model: PreTrainedModel) -> Callable[[str], Label]:
    """Says what a layer of any exposed model is, from its name.

    A name that its family has means what it means there, and in a model of no family what it means
    in Llama, which many copy. Beside these, the parts that `energy.exposed_attention` put in are
    known, and the embedding and head that the model says are its own. All else is `other`.
    """
    label = names_of(model.config.get_text_config().model_type).label
    parts: dict[str, tuple[str, str]] = {}
    ends = (
        (model.get_input_embeddings(), ("embedding", "embedding")),
        (model.get_output_embeddings(), ("head", "lm_head")),
    )
    for name, module in model.named_modules():
        if isinstance(module, AttentionCore):
            parts |= {
                f"{name}.{part}": ("attention", part) for part in ("scores", "softmax", "mix")
            }
        elif isinstance(module, Rotary):
            parts[name] = "attention", "rotary"
        elif isinstance(module, Multiply):
            parts[name] = "ffn", "activation"
        elif isinstance(module._parameters.get("down_proj"), Tensor):
            parts |= {f"{name}.{part}": ("ffn", what) for part, what in _EXPERTS.items()}
        elif isinstance(getattr(module, "top_k", None), int) and "weight" in module._parameters:
            parts |= dict.fromkeys((name, f"{name}.choice"), ("ffn", "router"))
        for end, part in ends:
            if module is end:
                parts[name] = part

    def name_of(name: str) -> Label:
        # In a model of text and images it is one part beside others.
        known = label(name.replace("model.language_model.", "model.", 1))
        if known.block != "other":
            return known
        block, component = parts.get(name, ("other", known.component))
        # The outermost list of a decoder is that of its layers.
        depth = next((int(part) for part in name.split(".") if part.isdecimal()), None)
        return Label(block, component, depth)

    return name_of
