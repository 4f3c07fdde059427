"""What a component and its action are priced as: words of Accelergy's tables, and of their kind."""

from __future__ import annotations

import re

from hwmodels import Op

#: Operations by a word in the class or the name of a component; the first that fits. An addition is
#: an accumulate too, unless a table prices those by themselves.
_OPERATIONS: tuple[tuple[str, tuple[Op, ...]], ...] = (
    (r"shift.?(and.?)?(add|acc)", (Op.SHIFT_AC,)),
    (r"mac(?!h)|multiply.?acc", (Op.MAC,)),
    (r"synap|synop|\bsops?\b|accumulat", (Op.AC,)),
    (r"neuron|soma|\blif", (Op.NEURON_UPDATE,)),
    (r"add(?!r)", (Op.ADD, Op.AC)),
    (r"mult|\bmul", (Op.MUL,)),
    (r"compar|\bcmp", (Op.CMP,)),
    (r"divi|\bdiv", (Op.DIV,)),
    (r"\bexp", (Op.EXP,)),
    (r"sqrt|square.?root", (Op.SQRT,)),
)
_OFF_CHIP = re.compile(r"dram|hbm|ddr|off.?chip|main.?mem")
_MEMORY = re.compile(
    r"ram|buf|cache|glb|storage|spad|scratch|reg.?file|regs?\b|register|memory|mem\d*\b|fifo|flash"
    r"|\b(l[0-4][di]?|llc|gb|ub|spm|[di]?tcm)\d*\b"
)
_READ = re.compile(r"read|load|fetch")
_WRITE = re.compile(r"write|update|store|fill")
_ACCESS = re.compile(r"access")  # a read or a write, at one price
#: What a shifter by itself prices: with an accumulate, the event of the default conversion.
SHIFT = "shift"
#: Actions in which a component does not do what it is for.
_IDLE = re.compile(r"leak|idle|gated|reused|skip|static|clock|\boff\b")


def is_off_chip(about: str) -> bool:
    """Whether class and name of a component are those of a memory beside the chip."""
    return bool(_OFF_CHIP.search(about))


def level_of(component: str) -> str:
    """The memory level that a component is: the last part of its path, without its instances."""
    last = re.sub(r"\[[^\]]*\]", "", component).rpartition(".")[2]
    return re.sub(r"\W+", "_", last).strip("_").casefold() or "memory"


def is_access(action: str) -> bool:
    """Whether an action reads or writes something, as those of memories do."""
    action = action.casefold()
    words = (_READ, _WRITE, _ACCESS)
    return not _IDLE.search(action) and any(word.search(action) for word in words)


def keys_of(
    component: str, about: str, action: str, *, named: bool = False, sized: bool = False
) -> tuple[str, ...]:
    """The constants that an action prices, such as `prices.mac`, `memory.glb.read`; maybe none.

    A shifter prices none by itself, and is `SHIFT`.

    Args:
        component: Its name in the table, maybe a path.
        about: Class and name in small letters.
        action: Its name.
        named: Whether somebody says that it is a memory.
        sized: Whether an access has a number of bits and the component a capacity, which is a
            memory where the words are those of no operation.
    """
    action = action.casefold()
    if _IDLE.search(action):
        return ()
    found = next((ops for word, ops in _OPERATIONS if re.search(word, about)), ())
    named = (named or (sized and not found)) and is_access(action)
    if named or is_off_chip(about) or _MEMORY.search(about):
        level = level_of(component)
        both = _ACCESS.search(action)
        kinds = (("read", _READ), ("write", _WRITE))
        return tuple(
            f"memory.{level}.{kind}" for kind, word in kinds if both or word.search(action)
        )
    if not found and "shift" in about:
        return (SHIFT,)
    return tuple(f"prices.{op}" for op in found)
