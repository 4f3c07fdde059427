"""What a model ends in where it does not predict tokens: one vector of labels, of each token.

As transformers runs it: a score of every token, of which a model of sequences keeps one. A reward
model is one of sequences with one label. No torch here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from neurt.families.config import Config
from neurt.families.shape import Head, Shape

#: What the class of a model ends in, with its head.
_HEADS = {
    "ForSequenceClassification": Head.SEQUENCE,
    "ForTokenClassification": Head.TOKEN,
}
#: Endings of classes whose heads are others, which no plan has.
_OTHERS = ("ForQuestionAnswering", "ForMultipleChoice", "ForRewardModel", "DoubleHeadsModel")


def with_head(shape: Shape, config: Config) -> Shape:
    """The shape with the head that `architectures` of a configuration names.

    Raises:
        ShapeError: If it is one that has no plan, or its labels are none.
    """
    named = config.content.get("architectures")
    kind = named[0] if isinstance(named, list) and named else named
    if not isinstance(kind, str):
        return shape
    if kind.endswith(_OTHERS):
        raise config.wrong(
            "architectures", named, f"has a head without a plan; planned are {', '.join(_HEADS)}"
        )
    head = next((head for ending, head in _HEADS.items() if kind.endswith(ending)), Head.TOKENS)
    if head is Head.TOKENS:
        return shape
    biased = head is Head.TOKEN and config.flag("token_classification_bias", default=True)
    return replace(shape, head=head, labels=_labels(config), tied=False, head_bias=biased)


def _labels(config: Config) -> int:
    """How many labels there are: as many as are counted or named, two where nothing is said."""
    named = config.content.get("id2label")
    if named is not None and not (isinstance(named, Mapping) and named):
        raise config.wrong("id2label", named, "must name a label for each number")
    return config.size("num_labels", len(named) if named else 2)
