from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hwmodels import Op, ProfileError, load_profile
from hwmodels.catalog import check_profile
from hwmodels.document import Document

INT8 = """
[precisions.int8]
value_bytes = 1
prices.mac = { pj = 0.5, source = "another bench", evidence = "simulated" }
"""


def test_a_file_holds_several_precisions(good: str, written: Callable[[str], Path]) -> None:
    path = written(good + INT8)
    assert load_profile(path).energy_pj(Op.MAC) == 2.0
    int8 = load_profile(f"{path}:int8")
    assert (int8.name, int8.precision, int8.title) == ("mine-int8", "int8", "A chip of mine, int8")
    assert (int8.value_bytes, int8.energy_pj(Op.MAC)) == (1, 0.5)
    assert int8.memory == load_profile(path).memory
    assert load_profile(f"{path}:fp32") == load_profile(path)
    names = [checked.profile and checked.profile.name for checked in check_profile(path)]
    assert names == ["mine", "mine-int8"]


def test_a_precision_that_is_not_there(good: str, written: Callable[[str], Path]) -> None:
    path = written(good + INT8)
    says = r"mine.toml' has no precision 'int4'; it has fp32 \(the default\), int8"
    with pytest.raises(ProfileError, match=says):
        load_profile(f"{path}:int4")


def test_a_fault_of_a_precision_names_the_precision(
    good: str, written: Callable[[str], Path]
) -> None:
    path = written(good + INT8.replace("0.5", "-0.5"))
    assert load_profile(path).name == "mine"
    with pytest.raises(ProfileError, match=r"mine.toml:int8': key 'prices.mac.pj' \(= -0.5\)"):
        load_profile(f"{path}:int8")


def test_a_file_extends_a_file_beside_it(good: str, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "base.toml").write_text(good + INT8, encoding="utf-8")
    child = tmp_path / "deep" / "child.toml"
    child.write_text('extends = "../base.toml:int8"\nvalue_bytes = 2', encoding="utf-8")
    loaded = load_profile(child)
    assert (loaded.name, loaded.precision, loaded.value_bytes) == ("child", "int8", 2)
    assert loaded.title == "A chip of mine, int8, changed by child"
    assert loaded.energy_pj(Op.MAC) == 0.5


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"a": "a.toml"}, r"a.toml' extends itself: .*a.toml -> .*a.toml; take one"),
        ({"a": "a.toml:int8"}, r"a.toml' extends itself"),
        ({"a": "b.toml", "b": "a.toml"}, r"b.toml' extends itself: .*a.toml -> .*b.toml -> .*a.t"),
        ({"a": "b.toml:int8", "b": "./a.toml"}, r"b.toml' extends itself: .*a.toml -> .*b.toml"),
        ({"a": "missing.toml"}, r"a.toml' extends 'missing.toml', but .*missing.toml' does not"),
        ({"a": "46nm"}, r"a.toml' extends '46nm', but hardware profile '46nm' is not known"),
        ({"a": "45nm.toml:int4"}, r"a.toml' extends '45nm.toml:int4', but .* does not exist"),
        ({"a": "b.toml", "b": '45nm"\nvalue_bytes = "4 nm'}, r"a.toml' extends 'b.toml', but .*b."),
        ({str(n): f"{n + 1}.toml" for n in range(12)}, r"chain of 9 files .* at most 8 may"),
    ],
)
def test_what_extends_nothing_sound_is_named(
    tmp_path: Path, files: dict[str, str], says: str
) -> None:
    for name, parent in files.items():
        text = f'extends = "{parent}"\n[precisions.int8]\nvalue_bytes = 1\n'
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    first = tmp_path / f"{next(iter(files))}.toml"
    with pytest.raises(ProfileError, match=says) as caught:
        load_profile(first)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["extends", "precisions"])
def test_a_precision_is_only_a_change(good: str, written: Callable[[str], Path], key: str) -> None:
    path = written(good + f"[precisions.int8.{key}]")
    with pytest.raises(ProfileError, match=f"unknown key 'precisions.int8.{key}'"):
        load_profile(path)


def test_the_default_is_not_a_precision_twice(good: str, written: Callable[[str], Path]) -> None:
    with pytest.raises(ProfileError, match=r"'precisions.fp32' is the precision of its default"):
        load_profile(written(good + "[precisions.fp32]"))


def test_a_reference_leads_to_a_precision(good: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    assert Document.parse(good, "mine").reference(None) == "mine"
    assert Document.parse(good, "mine").reference("int8") == "mine-int8"
    assert Document.parse(good, str(path), path).reference("int8") == f"{path}:int8"


def test_a_precision_may_mend_that_of_its_file(good: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    faulty = good.replace('precision = "fp32"', "precision.a = 1")
    path.write_text(f"{faulty}[precisions.int4]", encoding="utf-8")
    default, int4 = check_profile(path)
    assert [fault[:15] for fault in default.faults] == ["key 'precision'"]
    assert int4.doubts[0].startswith("mac: priced as in '{'a': 1}', though its precision is 'int4'")


def test_a_price_comes_from_the_precision_that_set_it(tmp_path: Path) -> None:
    # fp32 at 45nm, called fp16 by the file: its int4 has prices of fp32, and its fp32 has its own.
    path = tmp_path / "mine.toml"
    text = 'extends = "45nm"\nprecision = "fp16"\n[precisions.int4]\n[precisions.fp32]'
    path.write_text(text, encoding="utf-8")
    default, int4, fp32 = check_profile(path)
    for checked in (default, int4):
        assert "priced as in 'fp32'" in checked.doubts[0]
    assert fp32.doubts == ()


def test_a_price_is_of_the_operation_that_its_unit_names(
    good: str, written: Callable[[str], Path]
) -> None:
    said = good.replace("pj = 2.0", 'pj = "2 pJ/MAC"')
    assert load_profile(written(said)).prices[Op.MAC].pj == 2
    with pytest.raises(ProfileError, match=r"key 'prices.mac.pj' .* another operation, ac") as bad:
        load_profile(written(said.replace("pJ/MAC", "pJ/SOP")))
    assert "\n" not in str(bad.value)
