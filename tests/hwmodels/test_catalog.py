from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from builders import refused

from hwmodels import (
    Op,
    ProfileError,
    catalog,
    load_profile,
    load_profiles,
    load_sibling,
    profile_names,
    siblings,
)
from hwmodels.document import MAX_PROFILE_BYTES

BUILTIN = [
    "45nm",
    "45nm-fp16",
    "45nm-int8",
    "45nm-int32",
    "7nm",
    "7nm-bf16",
    "7nm-int8",
    "7nm-hbm2",
    "7nm-hbm2-bf16",
    "7nm-hbm2-int8",
    "b200",
    "darwin3",
    "generic-22nm",
    "h100",
    "kerasspiking-arm",
    "kerasspiking-cpu",
    "kerasspiking-gpu",
    "loihi",
    "loihi-sanafe",
    "northpole",
    "odin",
    "seneca",
    "spinnaker2-hoppner2019",
    "spinnaker2-hoppner2021",
    "truenorth",
]

SECOND_PRICE = '[prices.ac]\npj = 1.0\nsource = "a bench"\nevidence = "measured"\n'


@pytest.mark.parametrize("name", BUILTIN)
def test_every_builtin_profile_loads_under_its_own_name(name: str) -> None:
    assert load_profile(name).name == name


def test_the_builtin_profiles_come_first_and_in_order() -> None:
    assert profile_names()[: len(BUILTIN)] == BUILTIN


@pytest.mark.parametrize("spelling", [str, Path])
def test_a_file_loads_by_its_path(
    good: str, written: Callable[[str], Path], spelling: Callable[[Path], str | Path]
) -> None:
    mine = load_profile(spelling(written(good)))
    assert mine.energy_pj(Op.MAC) == 2.0
    assert mine.is_priced(Op.WEIGHT_READ)


def test_a_file_needs_no_suffix(good: str, tmp_path: Path) -> None:
    path = tmp_path / "mine"
    path.write_text(good, encoding="utf-8")
    assert load_profile(path).name == "mine"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("value_bytes = 4", 'value_bytes = 4\ncolour = "red"', "unknown key 'colour'"),
        ("pj = 2.0", "pj = 2.0\npJ = 3.0", "unknown key 'prices.mac.pJ'"),
        ("[prices.mac]", "[prices.mca]", "key 'prices.mca' (= 'mca')"),
        ('weights = "ram"', 'registers = "ram"', "key 'placement.registers' (= 'registers')"),
        ("pj = 2.0", "pj = -2.0", "key 'prices.mac.pj' (= -2.0)"),
        ("pj = 2.0", "pj = nan", "key 'prices.mac.pj' (= nan)"),
        ("pj = 2.0", "pj = inf", "key 'prices.mac.pj' (= inf)"),
        ("pj = 2.0", 'pj = "cheap"', "key 'prices.mac.pj' (= 'cheap')"),
        ("pj = 2.0\n", "", "key 'prices.mac.pj' is missing"),
        ('title = "A chip of mine"\n', "", "key 'title' is missing"),
        ('source = "a bench"', 'source = ""', "key 'prices.mac.source' (= '')"),
        ('source = "a bench"\n', "", "key 'prices.mac.source' is missing"),
        ('evidence = "measured"', 'evidence = "rumour"', "prices.mac.evidence' (= 'rumour')"),
        ("value_bytes = 4", "value_bytes = 0", "key 'value_bytes' (= 0)"),
        ("value_bytes = 4", "value_bytes = nan", "key 'value_bytes' (= nan)"),
        ("value_bytes = 4", "value_bytes = 4\nprocess_nm = -1", "key 'process_nm' (= -1)"),
        ("value_bytes = 4", 'value_bytes = 4\nscope = "some"', "key 'scope' (= 'some')"),
        ("read_pj_per_byte = 1.0", "read_pj_per_byte = -1", "memory.ram.read_pj_per_byte' (= -1)"),
        ("write_pj_per_byte = 3.0\n", "", "read_pj_per_byte and write_pj_per_byte, or a curve"),
        ("pj = 2.0", 'pj = "2 W"', "'prices.mac.pj' (= '2 W'): must be a number, or an energy"),
        ("pj = 2.0", 'pj = "2 pj"', "'prices.mac.pj' (= '2 pj'): its unit 'pj' is not known"),
        ("pj = 2.0", 'pj = "nan pJ"', "'prices.mac.pj' (= 'nan pJ'): must be a number"),
        ("value_bytes = 4", 'value_bytes = "4 nm"', "key 'value_bytes' (= '4 nm'): must be"),
        ("value_bytes = 4", "value_bytes = true", "key 'value_bytes' (= True)"),
        ("value_bytes = 4", "value_bytes = 4\nextends = 45", "key 'extends' (= 45) must be a name"),
        ("value_bytes = 4", 'value_bytes = 4\nunpriced = "exp"', "'unpriced' (= 'exp') must be"),
        ("value_bytes = 4", 'value_bytes = 4\nprecisions = "int8"', "'precisions' must hold"),
        (
            "[memory.ram]",
            "[memory.ram]\ncapacity_bytes = 0",
            "key 'memory.ram.capacity_bytes' (= 0)",
        ),
        ('spike = "inside the mac"', 'spike = ""', "key 'included.spike' (= '')"),
        (
            "[prices.mac]",
            '[static_power]\nwatts = -1\nsource = "x"\nevidence = "measured"\n[prices.mac]',
            "key 'static_power.watts' (= -1)",
        ),
        # Rules between keys: the key, and a way out.
        ('weights = "ram"', 'weights = "rom"', "placement.weights | the levels are: ram"),
        ("[prices.mac]", "[prices.kv_read_values]", "prices.kv_read_values | place 'kv_cache'"),
        ('spike = "inside', 'mac = "inside', "included.mac | keep one of the two"),
        (
            'spike = "inside',
            'vector_read_values = "inside',
            "included.vector_read_values | keep one of the two",
        ),
        ("value_bytes = 4", 'value_bytes = 4\nscope = "all_in"', "memory, placement | per_term"),
    ],
)
def test_a_faulty_key_is_named_with_its_value_or_a_way_out(
    good: str, written: Callable[[str], Path], old: str, new: str, says: str
) -> None:
    assert old in good
    path = written(good.replace(old, new, 1))
    said = refused(ProfileError, load_profile, path)
    assert f"hardware profile '{path}'" in said
    assert all(words in said for words in says.split(" | "))


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        (SECOND_PRICE, "2 prices"),
        ('[static_power]\nwatts = 1\nsource = "x"\nevidence = "measured"\n', "static_power"),
    ],
)
def test_an_all_in_profile_refuses_extra_terms(
    good: str, written: Callable[[str], Path], extra: str, named: str
) -> None:
    head, prices = good.split("[placement]")[0], good[good.index("[prices.mac]") :]
    lone = head + 'scope = "all_in"\n' + prices.split("[memory.ram]")[0]
    assert load_profile(written(lone)).scope == "all_in"
    with pytest.raises(ProfileError, match=f"all_in profile has one price.*{named}"):
        load_profile(written(lone + extra))


def test_further_faults_are_counted(good: str, written: Callable[[str], Path]) -> None:
    faulty = good.replace("pj = 2.0", "pj = -2.0").replace("value_bytes = 4", "value_bytes = 0")
    says = r"'value_bytes' \(= 0\).*\(1 more: see `neurt-energy hw validate`\)"
    with pytest.raises(ProfileError, match=says) as caught:
        load_profile(written(faulty))
    assert [fault.split(")")[0] for fault in caught.value.faults] == [
        "key 'value_bytes' (= 0",
        "key 'prices.mac.pj' (= -2.0",
    ]


def test_broken_toml_is_located(good: str, written: Callable[[str], Path]) -> None:
    path = written(good.replace("[placement]", "[placement"))
    with pytest.raises(ProfileError, match=r"mine.toml' is not valid TOML: .*line 6"):
        load_profile(path)


def test_text_that_is_not_utf8_is_located(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b'name = "caf\xe9"')
    with pytest.raises(ProfileError, match=r"mine.toml' is not UTF-8 text at byte 11"):
        load_profile(path)


@pytest.mark.parametrize("name", ["folder", "folder.toml"])
def test_a_directory_is_no_profile(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(ProfileError, match=f"{name}' is a directory, and must be a regular file"):
        load_profile(tmp_path / name)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"absent.toml' does not exist"):
        load_profile(tmp_path / "absent.toml")


def test_a_page_of_text_may_be_as_large_as_the_limit(
    good: str, written: Callable[[str], Path]
) -> None:
    padding = "#" * (MAX_PROFILE_BYTES - len(good))
    assert load_profile(written(good + padding)).name == "mine"
    with pytest.raises(ProfileError, match=r"mine.toml' has 262,145 bytes"):
        load_profile(written(good + padding + "#"))


@pytest.mark.parametrize("path", ["/dev/zero", "pipe.toml"])
def test_what_has_no_end_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.toml")
    assert f"'{path}' is a" in refused(ProfileError, load_profile, path)


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    with path.open("wb") as file:
        file.truncate(64_000_000_000)  # sparse
    with pytest.raises(ProfileError, match=r"mine.toml' has 64,000,000,000 bytes, and at most"):
        load_profile(path)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("46nm", "'46nm' is not known; `neurt-energy hw list` shows those at hand, or give the"),
        ("45NM", "; did you mean '45nm'?"),
        ("", "'' is not known"),
        ("x" * 300, "xxx...xxx"),
        ("\x1b[31m45nm\0", r"'\x1b[31m45nm\x00' is not known"),
    ],
)
def test_an_unknown_name_is_shown_with_where_the_known_ones_are(name: str, says: str) -> None:
    said = refused(ProfileError, load_profile, name)
    assert says in said
    assert len(said) <= 300


PLUGIN = """
from hwmodels import HardwareProfile, load_profile

def chip():
    return load_profile("45nm").model_copy(update={"name": "chip"})

ready = chip()

def broken():
    raise ZeroDivisionError("no chip today")

def number():
    return 42

def leaves():
    raise SystemExit(3)

def interrupts():
    raise KeyboardInterrupt("mine")

def closes():
    raise GeneratorExit

def odd():
    class Odd(Exception):
        def __str__(self):
            raise KeyError
    raise Odd

def shouts():
    raise ValueError("\\x1b]0;owned\\x07 " + "x" * 1000)

def prints():
    print("a chip for you")
    return chip()

def impostor():
    mine = load_profile("7nm")
    return mine.model_copy(update={"name": "45nm"})

def itself():
    return load_profile("itself")

def nan():
    mine = load_profile("45nm")
    cheap = mine.prices["mac"].model_copy(update={"pj": float("nan")})
    return mine.model_copy(update={"prices": {"mac": cheap}})

def negative():
    mine = load_profile("45nm")
    return mine.model_copy(update={"value_bytes": -4})

def wrong():
    return HardwareProfile.model_construct(name="wrong", title="t", precision="p", prices=42)

def uncited():
    mine = load_profile("45nm")
    cheap = mine.prices["mac"].model_copy(update={"source": ""})
    return mine.model_copy(update={"prices": {"mac": cheap}})
"""

ENTRY_POINTS = """\
[neurt_energy.hardware]
chip = neurt_test_chips:chip
ready = neurt_test_chips:ready
broken = neurt_test_chips:broken
number = neurt_test_chips:number
leaves = neurt_test_chips:leaves
interrupts = neurt_test_chips:interrupts
closes = neurt_test_chips:closes
odd = neurt_test_chips:odd
shouts = neurt_test_chips:shouts
prints = neurt_test_chips:prints
impostor = neurt_test_chips:impostor
itself = neurt_test_chips:itself
nan = neurt_test_chips:nan
negative = neurt_test_chips:negative
wrong = neurt_test_chips:wrong
uncited = neurt_test_chips:uncited
absent = neurt_test_chips:nothing
unimportable = neurt_test_no_such_module:chip
45nm = neurt_test_chips:broken
"""


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    info = tmp_path / "neurt_test_chips-1.0.dist-info"
    info.mkdir()
    (tmp_path / "neurt_test_chips.py").write_text(PLUGIN, encoding="utf-8")
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: neurt-test-chips\nVersion: 1.0\n", encoding="utf-8"
    )
    (info / "entry_points.txt").write_text(ENTRY_POINTS, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    sources: Any = catalog._sources
    sources.cache_clear()
    yield
    sources.cache_clear()
    sys.modules.pop("neurt_test_chips", None)


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize("name", ["chip", "ready"])
def test_an_installed_profile_loads_by_its_name(name: str) -> None:
    assert name in profile_names()
    assert load_profile(name).name == "chip"


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("broken", r"'neurt_test_chips:broken' failed: ZeroDivisionError: no chip today"),
        ("number", r"'neurt_test_chips:number' is a int; it must be a HardwareProfile"),
        ("leaves", r"'neurt_test_chips:leaves' failed: SystemExit: 3"),
        ("interrupts", r"'neurt_test_chips:interrupts' failed: KeyboardInterrupt: mine"),
        ("closes", r"'neurt_test_chips:closes' failed: GeneratorExit"),
        ("odd", r"'neurt_test_chips:odd' failed: Odd, which cannot be shown"),
        ("shouts", r"'neurt_test_chips:shouts' failed: ValueError: \\x1b\]0;owned\\x07 x"),
        ("itself", r"'neurt_test_chips:itself' failed: "),
        ("nan", r"'neurt_test_chips:nan': key 'prices.mac.pj' \(= nan\): .*finite"),
        ("negative", r"'neurt_test_chips:negative': key 'value_bytes' \(= -4"),
        ("wrong", r"'neurt_test_chips:wrong': key "),
        ("uncited", r"'neurt_test_chips:uncited': key 'prices.mac.source' \(= ''\)"),
        ("absent", r"'neurt_test_chips:nothing' failed: AttributeError"),
        ("unimportable", r"'neurt_test_no_such_module:chip' failed: ModuleNotFoundError"),
    ],
)
def test_a_failing_plug_in_names_itself(name: str, says: str) -> None:
    with pytest.raises(ProfileError, match=f"hardware profile '{name}' of the plug-in {says}"):
        load_profile(name)


@pytest.mark.usefixtures("plugins")
def test_what_a_plug_in_prints_goes_beside_the_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert load_profile("prints").name == "chip"
    assert capsys.readouterr() == ("", "a chip for you\n")


@pytest.mark.usefixtures("plugins")
def test_a_plug_in_does_not_call_its_profile_as_a_builtin_one() -> None:
    with pytest.raises(ProfileError, match="'impostor' calls itself '45nm', as a built-in profile"):
        load_profile("impostor")


@pytest.mark.usefixtures("plugins")
def test_ctrl_c_of_the_user_is_none_of_the_plug_in(monkeypatch: pytest.MonkeyPatch) -> None:
    chips = importlib.import_module("neurt_test_chips")
    monkeypatch.setattr(chips, "chip", lambda: signal.raise_signal(signal.SIGINT))
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        load_profile("chip")
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.usefixtures("plugins")
def test_a_plug_in_loads_in_a_thread_too() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(load_profile, "chip").result().name == "chip"


@pytest.mark.usefixtures("plugins")
def test_a_plug_in_whose_name_is_taken_is_named() -> None:
    assert catalog.unused_plug_ins() == [
        "hardware profile '45nm' of the plug-in 'neurt_test_chips:broken' is not used: another "
        "profile has this name"
    ]


@pytest.mark.usefixtures("plugins")
def test_the_rest_of_the_catalogue_works_beside_a_failing_plug_in() -> None:
    with pytest.raises(ProfileError):
        load_profile("broken")
    assert profile_names()[: len(BUILTIN)] == BUILTIN
    assert {"chip", "ready", "broken", "number"} <= set(profile_names())
    assert load_profile("loihi").name == "loihi"
    assert load_profile("chip").energy_pj(Op.MAC) == 4.6


@pytest.mark.usefixtures("plugins")
def test_a_plug_in_does_not_take_the_name_of_a_builtin_profile() -> None:
    assert load_profile("45nm").name == "45nm"
    assert profile_names().count("45nm") == 1


INT8 = """
[precisions.int8]
value_bytes = 1
prices.mac = { pj = 0.5, source = "another bench", evidence = "simulated" }
"""


def test_the_precisions_of_one_hardware_are_siblings(
    good: str, written: Callable[[str], Path]
) -> None:
    forty_five = {"fp32": "45nm", "fp16": "45nm-fp16", "int8": "45nm-int8", "int32": "45nm-int32"}
    assert siblings("45nm") == siblings("45nm-int8") == forty_five
    path = written(good + INT8)
    assert siblings(path) == {"fp32": str(path), "int8": f"{path}:int8"}
    assert load_sibling("45nm", "int8") == load_profile("45nm-int8")
    assert load_sibling(f"{path}:int8", "fp32") == load_profile(path)
    assert load_sibling("45nm", "int4") is None
    assert load_sibling("truenorth", "int8") is None


@pytest.mark.usefixtures("plugins")
def test_a_plug_in_is_its_only_sibling() -> None:
    assert siblings("chip") == {"fp32": "chip"}


@pytest.mark.usefixtures("plugins")
def test_a_file_extends_a_plug_in(written: Callable[[str], Path]) -> None:
    loaded = load_profile(written('extends = "chip"\nname = "mine"'))
    assert loaded.prices == load_profile("45nm").prices


def test_a_profile_and_its_child_are_two(written: Callable[[str], Path]) -> None:
    path = written('extends = "45nm"')
    names = [profile.name for profile in load_profiles(["45nm", path, str(path)])]
    assert names == ["45nm", "mine"]
    other = path.with_name("mine2.toml")
    other.write_text('extends = "45nm"\nname = "mine"\nvalue_bytes = 2', encoding="utf-8")
    with pytest.raises(ProfileError, match="two of the hardware profiles are called 'mine'"):
        load_profiles([path, other])


NAMES = ["芯片", "чип", "Café 2", "شريحة", "7nm+", "_x", "a-b (v2)", "n" * 64]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_may_be_of_any_script(good: str, written: Callable[[str], Path], name: str) -> None:
    assert load_profile(written(good.replace('"mine"', f'"{name}"'))).name == name


def test_a_name_is_composed(good: str, written: Callable[[str], Path]) -> None:
    # e and U+0301 look like U+00E9, so they are the same name.
    assert load_profile(written(good.replace('"mine"', '"Cafe\u0301"'))).name == "Caf\u00e9"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a/b", "must begin with a letter"),
        (r"a\\b", "must begin with a letter"),
        ("..", "must begin with a letter"),
        ("-x", "must begin with a letter"),
        ("=cmd", "must begin with a letter"),
        ("a:b", "must begin with a letter"),
        ("<b>", "must begin with a letter"),
        ("a\u200cb", "must begin with a letter"),
        ("", "at least 1 character"),
        ("  ", "at least 1 character"),
        ("n" * 65, "at most 64 characters"),
    ],
)
def test_a_name_is_no_path_and_no_markup(
    good: str, written: Callable[[str], Path], name: str, says: str
) -> None:
    said = refused(ProfileError, load_profile, written(good.replace('"mine"', f'"{name}"')))
    assert "key 'name' (= " in said
    assert says in said


@pytest.mark.parametrize(
    "character", ["\x1b", "\x00", "\x9b", "\x07", "\u202e", "\u2028", "\ufeff"]
)
@pytest.mark.parametrize(
    ("old", "key"),
    [
        ('name = "mine', "name"),
        ('title = "A chip', "title"),
        ('precision = "fp32', "precision"),
        ('spike = "inside', "included.spike"),
        ('source = "a bench', "prices.mac.source"),
        ('[memory."ram', "memory.ram"),
    ],
)
def test_no_text_holds_a_character_that_commands_a_terminal(
    good: str, written: Callable[[str], Path], old: str, key: str, character: str
) -> None:
    text = good.replace("[memory.ram]", '[memory."ram"]')
    assert old in text
    said = refused(
        ProfileError, load_profile, written(text.replace(old, f"{old}\\U{ord(character):08x}m"))
    )
    assert f"key '{key}" in said
    assert f"holds the unseen character {character.encode('unicode_escape').decode()}" in said
    assert said.isprintable()


def test_lines_of_a_text_are_joined_and_joiners_of_scripts_stay(
    good: str, written: Callable[[str], Path]
) -> None:
    lines = 'source = """a\n\tbench \r\nof می\u200cخواهم"""'
    loaded = load_profile(written(good.replace('source = "a bench"', lines, 1)))
    assert loaded.prices[Op.MAC].source == "a bench of می\u200cخواهم"


def test_a_file_has_the_name_of_a_builtin_profile_only_with_its_numbers(
    written: Callable[[str], Path],
) -> None:
    copy = files("hwmodels.builtin").joinpath("45nm.toml").read_text(encoding="utf-8")
    assert load_profiles([written(copy), "45nm"]) == (load_profile("45nm"),)
    changed = written(copy.replace("pj = 4.6", "pj = 0.046"))
    with pytest.raises(ProfileError, match="calls itself '45nm', as a built-in profile with other"):
        load_profile(changed)
