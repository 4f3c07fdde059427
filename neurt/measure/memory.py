"""Memory that the process of a command takes at most, in closed form from the sizes of a model.

Numbers of four bytes, added up: parameters, what a pass holds, what a training keeps. A little too
much rather than too little: who plans with it must not be killed. `benchmarks/peak_memory.py` sets
peaks of whole processes beside it. No torch.
"""

from __future__ import annotations

from neurt.families import Shape, family_of
from neurt.families.parameters import layer_parameters, parameters
from neurt.requests.evaluate import EvaluateRequest
from neurt.requests.passes import ProfileRequest
from neurt.spiking.config import DeadZone, SpikingConfig

#: Of a process that has imported everything and run a tiny model, and some room.
IDLE_BYTES = 640 * 2**20


def peak_bytes(shape: Shape, point: ProfileRequest) -> int:
    """Memory that the process of a run takes at most, from sizes alone.

    Parameters, and an embedding more while random ones are made; logits as they are and twice as
    they are compared; the two largest operands of a layer over all time steps: the hidden layer of
    the feed-forward block, and the pairs of attention. Dead zones by loss need a backward pass over
    the calibration text before, through all that its layers keep for it.
    """
    longest = _longest(shape, point.seq_len)
    held = _read(shape, longest, point.batch, point.spiking.timesteps)
    if _by_loss(point.spiking.resolved(trained=point.weights != "random")):
        held = max(held, _felt(shape, longest))
    return IDLE_BYTES + 4 * (_parameters(shape) + held)


def evaluation_bytes(shape: Shape, point: EvaluateRequest) -> int:
    """Memory that the process of an evaluation takes at most, from sizes alone.

    As `peak_bytes`, with as many windows as are read at a time, and what both models have between
    their layers: the residual stream and what two blocks add to it.
    """
    window, _ = point.windows(shape.span)
    longest, spiking = _longest(shape, window), point.spiking
    between = 2 * (3 * shape.layers + 1) * window * point.batch * shape.width
    held = _read(shape, longest, point.batch, spiking.timesteps) + between
    if _by_loss(spiking.resolved(trained=point.weights != "random")):
        held = max(held, _felt(shape, longest))
    return IDLE_BYTES + 4 * (_parameters(shape) + held)


def count_bytes(shape: Shape, tokens: int, sequences: int = 1) -> int:
    """The same of a count of the analog model: one pass, whose logits nobody compares."""
    held = sequences * tokens * (shape.vocabulary + 4 * shape.inner + 8 * shape.width)
    return IDLE_BYTES + 4 * (_parameters(shape) + held)


def conversion_bytes(shape: Shape, spiking: SpikingConfig, tokens: int) -> int:
    """The same of a conversion that is calibrated on windows of so many tokens.

    The loss on the first window is compared with what was foreseen; dead zones by loss need a
    backward pass.
    """
    held = _read(shape, tokens, 1, spiking.timesteps)
    if _by_loss(spiking):
        held = max(held, _felt(shape, tokens))
    return IDLE_BYTES + 4 * (_parameters(shape) + held)


def streamed_bytes(
    shape: Shape, spiking: SpikingConfig, tokens: int, sequences: int = 1, *, converts: bool = True
) -> int:
    """The same layer by layer: the larger of what a layer and what the head needs.

    A layer has its weights and what a window takes in it. Calibration by output has them twice, as
    norms are taken of all layers that read the same. The head has the embeddings too, and
    predictions over the vocabulary: of two models that are compared, or, for dead zones by loss,
    with their gradients.

    Args:
        tokens: Of a window.
        sequences: Windows at a time.
        converts: Whether thresholds are calibrated; else two models read.
    """
    family, by_loss = family_of(shape.model_type), _by_loss(spiking)
    layer = max(layer_parameters(shape, kind) for kind in shape.each)
    learned = shape.positions if family.angles is None else 0
    outside = ((1 if shape.tied else 2) * shape.vocabulary + learned) * shape.width
    steps = spiking.timesteps
    passing = 4 * steps * shape.inner + 3 * steps * shape.heads * tokens + 8 * shape.width
    if converts and by_loss:
        passing = max(passing, 10 * shape.width + 4 * shape.inner + 2 * shape.heads * tokens)
    predicting = (5 if by_loss else 1) if converts else 4
    each = max(
        layer * (2 if converts and not by_loss else 1) + sequences * tokens * passing,
        outside + sequences * tokens * predicting * shape.vocabulary,
    )
    return IDLE_BYTES + 4 * each


def finetuning_bytes(shape: Shape, spiking: SpikingConfig, tokens: int, sequences: int) -> int:
    """The same of a training of attention blocks and thresholds, the default of `finetune`.

    Teacher and student have weights of their own, and the blocks that learn a gradient and two
    moments of Adam. For the way back, events of all time steps are kept in front of each linear
    layer of each block, weights of attention likewise, and predictions of both models; and a tenth
    of that for what an allocator has between tensors that come and go in many sizes.
    """
    total, steps = parameters(shape).total, spiking.timesteps
    learning = sum(4 * shape.width * shape.query_width for _ in shape.each)
    kept = steps * (3 * shape.width + 2 * shape.inner + 2 * shape.heads * tokens)
    kept += 12 * shape.width + 6 * shape.inner + 4 * shape.heads * tokens
    held = sequences * tokens * (shape.layers * kept + 8 * shape.vocabulary)
    return IDLE_BYTES + 4 * (2 * total + 4 * learning + held + held // 10)


def streamed_profile_bytes(
    shape: Shape, spiking: SpikingConfig, tokens: int, sequences: int
) -> int:
    """The same of a run layer by layer: a conversion, then both models on its passes."""
    converts = streamed_bytes(shape, spiking, _longest(shape, tokens))
    return max(converts, streamed_bytes(shape, spiking, tokens, sequences, converts=False))


def activation_bytes(
    shape: Shape, spiking: SpikingConfig | None, calibrated: int, read: int = 0
) -> int:
    """Bytes that the activations of a stream take on the disk at most.

    A hidden state has `width` values of 4 bytes. By output norm, those in front of a layer and
    behind it are kept; by loss those in front of all layers, and two gradients. Two models that
    read a text keep two each.

    Args:
        spiking: The conversion; None where there is none to calibrate.
        calibrated: Tokens of calibration text.
        read: Tokens of all windows that are read.
    """
    kept = 0
    if spiking is not None:
        kept = shape.layers + 3 if _by_loss(spiking) else 2
    return 4 * shape.width * (kept * calibrated + 4 * read)


def _by_loss(spiking: SpikingConfig) -> bool:
    return spiking.resolved(trained=True).dead_zone is DeadZone.LOSS


def _felt(shape: Shape, tokens: int) -> int:
    """Numbers that a backward pass over a window of calibration text holds."""
    kept = 10 * shape.width + 4 * shape.inner + 2 * shape.heads * tokens
    return tokens * (shape.layers * kept + 5 * shape.vocabulary)


def _longest(shape: Shape, tokens: int) -> int:
    """Tokens of the longest sequence: of the text, or of the calibration."""
    return max(tokens, min(shape.span, 128))


def _parameters(shape: Shape) -> int:
    """Parameters, and what of an embedding is there twice while they are made."""
    family = family_of(shape.model_type)
    learned_positions = shape.positions if family.angles is None else 0
    embeddings = ((2 if shape.tied else 3) * shape.vocabulary + learned_positions) * shape.width
    return embeddings + sum(layer_parameters(shape, kind) for kind in shape.each)


def _read(shape: Shape, tokens: int, sequences: int, steps: int) -> int:
    """Numbers that a pass over so many sequences of so many tokens holds at a time."""
    each = 3 * shape.vocabulary + 4 * steps * shape.inner + 3 * steps * shape.heads * tokens
    return sequences * tokens * each
