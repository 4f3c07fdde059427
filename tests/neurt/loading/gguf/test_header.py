from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neurt.loading.gguf.header import GGUFError, TensorInfo, read_header

Write = Callable[..., Path]


@pytest.fixture
def path(write_gguf: Write, llama: Any) -> Path:
    return write_gguf(llama, "Q4_1")


def raw(*metadata: bytes, tensors: bytes = b"", n_tensors: int = 0, version: int = 3) -> bytes:
    # A file by hand: magic, version, counts, metadata, tensors.
    counts = struct.pack("<IQQ", version, n_tensors, len(metadata))
    return b"GGUF" + counts + b"".join(metadata) + tensors


def text(words: str) -> bytes:
    return struct.pack("<Q", len(words)) + words.encode()


def tensor(*shape: int, kind: int = 0, offset: int = 0) -> bytes:
    dimensions = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return text("x") + dimensions + struct.pack("<IQ", kind, offset)


ALIGNMENT = text("general.alignment")


def test_a_header_says_what_the_writer_wrote(path: Path) -> None:
    header = read_header(path)
    assert header.metadata["general.architecture"] == "llama"
    assert header.metadata["llama.attention.head_count"] == 4
    assert header.metadata["tokenizer.ggml.tokens"][:2] == ["<|end|>", "!"]
    assert header.metadata["tokenizer.ggml.token_type"][:2] == [3, 1]
    assert header.quantisation == "Q4_1"
    # 264 rows of 32 are 264 blocks of 20 bytes.
    embedding = header.tensors["token_embd.weight"]
    assert (embedding.shape, embedding.kind, embedding.n_bytes) == ((264, 32), 3, 264 * 20)
    end = max(one.start + one.n_bytes for one in header.tensors.values())
    assert end <= path.stat().st_size < end + 32


def test_a_header_is_the_package_ggufs(path: Path) -> None:
    import gguf

    theirs = gguf.GGUFReader(path)
    assert {
        one.name: TensorInfo(
            tuple(reversed(one.shape.tolist())), int(one.tensor_type), one.data_offset, one.n_bytes
        )
        for one in theirs.tensors
    } == read_header(path).tensors
    ours = read_header(path).metadata
    assert {
        key: field.contents() for key, field in theirs.fields.items() if not key.startswith("GGUF.")
    } == ours


def test_values_of_every_kind_are_read(tmp_path: Path) -> None:
    values = {
        "b": struct.pack("<Ib", 1, -3),
        "d": struct.pack("<Id", 12, 0.5),
        "flag": struct.pack("<I?", 7, True),
        "nested": struct.pack("<IIQ", 9, 9, 1) + struct.pack("<IQ2h", 3, 2, 5, -6),
        "words": struct.pack("<IIQ", 9, 8, 2) + text("é").replace(b"\x01", b"\x02") + text("z"),
    }
    data = raw(
        *(text(key) + value for key, value in values.items()), tensors=tensor(1), n_tensors=1
    )
    path = tmp_path / "x.gguf"
    path.write_bytes(data + bytes(64))
    read = read_header(path).metadata
    assert read == {"b": -3, "d": 0.5, "flag": True, "nested": [[5, -6]], "words": ["é", "z"]}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty; download it again"),
        (b"PK\x03\x04" + bytes(99), "is not a GGUF file: it starts otherwise"),
        (raw(version=1), "is of GGUF version 0x1; 2 and 3 in little-endian order can be read"),
        (raw(version=3 << 24), "is of GGUF version 0x3000000; 2 and 3 in little-endian"),
        (raw(), "holds no tensors"),
        (raw(n_tensors=1), "is truncated: its header goes beyond its 24 bytes"),
        (raw(struct.pack("<Q", 2**62) + b"key"), "is truncated: its header goes beyond"),
        (raw(text("k") + struct.pack("<IIQ", 9, 8, 2**60)), "is truncated: its header goes beyond"),
        (raw(text("k") + struct.pack("<IIQ", 9, 4, 2**60)), "is truncated: its header goes beyond"),
        (raw(text("k") + struct.pack("<II", 13, 0)), "is broken: it has a value of type 13"),
        (
            raw(text("k") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 50),
            "is broken: it has a value of type 9",
        ),
        (raw(struct.pack("<Q", 1) + b"\xff" + bytes(9)), "a key that is no UTF-8 at byte 32; dow"),
        (raw(tensors=tensor(32, kind=4), n_tensors=1), "'x' of .* is of quantisation number 4; th"),
        (raw(tensors=tensor(33, kind=2), n_tensors=1), "'x' of .* is broken: rows .* 32 of Q4_0"),
        (raw(tensors=tensor(), n_tensors=1), "is broken: it has 0 dimensions, and may have 1 to 4"),
        (raw(tensors=tensor(0, 4), n_tensors=1), r"is broken: rows of a shape \(4, 0\)"),
        (raw(text("k") + struct.pack("<IB", 0, 1), text("k")), "broken: it has the key 'k' twice"),
        (raw(text("k") + struct.pack("<IB", 7, 2)), "a truth value in 'k' that is neither 0 nor 1"),
        (
            raw(text("k") + struct.pack("<IIQ2B", 9, 7, 2, 0, 9)),
            "a truth value in 'k' that is neither 0 nor 1",
        ),
        (raw(n_tensors=2**63), "is truncated: its header goes beyond its 24 bytes"),
        (raw(tensors=tensor(1) * 2, n_tensors=2), "broken: it has the tensor 'x' twice; download"),
        (raw(tensors=tensor(1, 1, 1, 1, 1), n_tensors=1), "it has 5 dimensions, and may have 1 to"),
        # 2^63 x 2^63 numbers of 4 bytes are 2^128.
        (raw(tensors=tensor(2**63, 2**63), n_tensors=1), f"tensors end at byte {2**128 + 96}, and"),
        (raw(tensors=tensor(1, offset=2**60), n_tensors=1), f"end at byte {2**60 + 64 + 4}, and"),
        (
            raw(
                text("general.alignment") + struct.pack("<II", 4, 0), tensors=tensor(1), n_tensors=1
            ),
            "'general.alignment' of .* is 0; it must be one positive integer",
        ),
        (
            raw(
                text("general.alignment") + struct.pack("<II", 4, 7), tensors=tensor(1), n_tensors=1
            ),
            "'general.alignment' of .* is 7; it must be a multiple of 8",
        ),
        (
            raw(tensors=tensor(8) + tensor(8, offset=16).replace(b"x", b"y"), n_tensors=2),
            "is broken: it has the tensor 'y' within 'x'; download it again",
        ),
        # 65 bytes of header, aligned to 96, and 32 numbers of 4 bytes.
        (raw(tensors=tensor(8, 4), n_tensors=1), "its 1 tensors end at byte 224, and it has 65"),
    ],
    ids=[
        "empty",
        "magic",
        "version",
        "byte order",
        "no tensors",
        "no table",
        "long key",
        "long list",
        "long array",
        "type",
        "depth",
        "not text",
        "quantisation",
        "rows",
        "no shape",
        "no rows",
        "key twice",
        "no truth",
        "no truths",
        "counts",
        "tensor twice",
        "dimensions",
        "product",
        "offset",
        "alignment 0",
        "alignment 7",
        "overlap",
        "no data",
    ],
)
def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(data)
    with pytest.raises(GGUFError, match=says) as caught:
        read_header(path)
    assert "\n" not in str(caught.value)


def test_a_file_cut_at_any_byte_of_its_header_is_truncated(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    metadata = (
        text("a") + struct.pack("<IIQ", 9, 8, 2) + text("one") + text("two"),
        text("b") + struct.pack("<IIQ3i", 9, 5, 3, 1, 2, 3),
        text("c") + struct.pack("<Id", 12, 0.5),
    )
    whole = raw(*metadata, tensors=tensor(8, 4), n_tensors=1)
    whole += bytes(-len(whole) % 32 + 8 * 4 * 4)
    path.write_bytes(whole)
    assert read_header(path).tensors.keys() == {"x"}
    for kept in range(4, len(whole)):
        path.write_bytes(whole[:kept])
        with pytest.raises(GGUFError, match=r"is truncated: .*; download it again"):
            read_header(path)


@pytest.mark.parametrize("kept", [0.001, 0.1, 0.5, 0.999])
def test_a_file_cut_anywhere_is_truncated(path: Path, kept: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(GGUFError, match=r"is truncated: .*; download it again"):
        read_header(path)


def test_a_header_that_does_not_end_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    with path.open("wb") as file:
        file.write(raw(text("k") + struct.pack("<IIQ", 9, 0, 2**32)))
        file.truncate(2**36)  # 64 GB of nothing
    with pytest.raises(GGUFError, match="it has a header of more than 67,108,864 bytes; download"):
        read_header(path)


def test_what_is_no_regular_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.gguf")
    with pytest.raises(GGUFError, match=r"x\.gguf' is a named pipe, and must be a regular file"):
        read_header(tmp_path / "x.gguf")
    with pytest.raises(GGUFError, match="'/dev/zero' is a device, and must be a regular file"):
        read_header(Path("/dev/zero"))


def test_a_header_is_read_once_as_long_as_its_file_stays(
    path: Path, write_gguf: Write, llama: Any
) -> None:
    os.utime(path, (1e9, 1e9))
    assert read_header(path) is read_header(path)
    write_gguf(llama, "Q4_1", more=1)  # at once: time stamps may be coarser than that
    assert read_header(path).metadata["more"] == 1
    write_gguf(llama, "Q4_1", more=2)
    assert read_header(path).metadata["more"] == 2


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(GGUFError, match=r"absent\.gguf' does not exist$"):
        read_header(tmp_path / "absent.gguf")


@pytest.mark.parametrize("value", [None, 0, 2.5, True, "two", [1, 2]])
def test_a_size_that_is_no_positive_integer_is_an_error(
    write_gguf: Write, llama: Any, value: object
) -> None:
    header = read_header(write_gguf(llama, size=value))
    with pytest.raises(GGUFError, match="has no 'size'" if value is None else "'size' of .* is "):
        header.integer("size")


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0, 0.0, "two", True, [1.0]])
def test_a_number_that_is_none_or_not_above_0_is_an_error(
    write_gguf: Write, llama: Any, value: object
) -> None:
    header = read_header(write_gguf(llama, base=value))
    with pytest.raises(GGUFError, match=r"'base' of .* is .*; it must be (one|a finite) number"):
        header.number("base", 1.0)
