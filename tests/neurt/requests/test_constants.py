from __future__ import annotations

import json
from pathlib import Path

import pytest
from builders import refused

from hwmodels import Op
from neurt.cli import main
from neurt.requests.base import RequestError
from neurt.requests.hardware import Executed, Timed


def asked(*words: str, hw: tuple[str, ...] = ("45nm",)) -> Executed:
    return Executed(hw=hw, set=words)


def test_a_constant_is_that_of_every_profile_that_has_it() -> None:
    a, b, c = asked("prices.mac=0.5pJ", hw=("45nm", "loihi", "7nm")).profiles()
    assert (a.name, b.name, c.name) == ("45nm+set", "loihi", "7nm+set")
    assert a.prices[Op.MAC].pj == c.prices[Op.MAC].pj == 0.5
    assert Op.MAC not in b.prices
    assert a.prices[Op.MAC].source == "set on the command line"


def test_a_name_before_the_key_is_the_profile_whose_constant_it_is() -> None:
    a, b = asked("45nm:prices.mac=1", "loihi:prices.mac=2", hw=("45nm", "loihi")).profiles()
    assert (a.prices[Op.MAC].pj, b.prices[Op.MAC].pj) == (1, 2)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("prices.mac=1",), "no number for prices.mac; to add one, .* loihi:prices.mac=1"),
        (("45nm:prices.ac=1",), "no --hw is '45nm', but loihi"),
        (("prices.mcc=1",), "'prices.mcc' is no constant of 'loihi'; did you mean 'prices.mac'"),
        (("prices.ac=1", "prices.ac=2"), "prices.ac is given twice"),
        (("prices.ac=23.6",), "prices.ac of 'loihi' is that already"),
    ],
)
def test_what_is_nobodys_constant_is_refused(words: tuple[str, ...], says: str) -> None:
    with pytest.raises(RequestError, match=says):
        asked(*words, hw=("loihi",)).profiles()


def test_static_power_needs_a_time() -> None:
    # 45nm-int8 has no throughput, and so no latency of its own.
    say = refused(RequestError, asked("45nm-int8:static_power=0.1", hw=("45nm-int8",)).profiles)
    assert "static_power has no effect on '45nm-int8+set': without throughput no time" in say
    known = Timed(hw=("45nm-int8",), set=("45nm-int8:static_power=104 mW",), latency_s={"asa": 1})
    [profile] = known.profiles()
    assert profile.static_power is not None
    assert profile.static_power.watts == 0.104
    [profile] = asked(
        "45nm-int8:static_power=0.1", "45nm-int8:throughput.mac=1e12", hw=("45nm-int8",)
    ).profiles()
    assert profile.static_power is not None


SHIFTED = """\
extends = "45nm-int8"
name = "mine"
[prices.ac]
pj = 0.1
source = "a bench"
evidence = "measured"
[prices.shift_ac]
pj = 0.25
source = "a bench"
evidence = "measured"
"""


@pytest.mark.parametrize(
    ("flags", "key", "says"),
    [
        ("", "prices.ac", "counts ac, and its events are shift_ac at 0.25 pJ; set prices.shift_ac"),
        ("", "prices.shift_ac", ""),
        ("", "prices.mac", ""),
        ("--code signed_if", "prices.ac", ""),
        ("--code signed_if", "prices.shift_ac", "events are ac at 0.1 pJ; set prices.ac"),
        ("--analog", "prices.ac", "no row of the bill counts ac."),
        ("--batch 1,2", "prices.ac", "set prices.shift_ac"),
    ],
)
def test_a_price_that_no_row_uses_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: str, key: str, says: str
) -> None:
    (hw := tmp_path / "mine.toml").write_text(SHIFTED, encoding="utf-8")
    run, about = str(tmp_path / "run"), ["--hw", str(hw), "--set", f"{key}=0.9 pJ"]
    page = "" if "--batch" in flags else "--no-page"
    words = f"plan --model gpt2-nano --seq-len 8 --pictures none {page} {flags}"
    assert main([*words.split(), "--out", run, *about]) == 0
    commands = [capsys.readouterr().out]
    if "--batch" not in flags:
        table = str(tmp_path / "run" / "counts.csv")
        assert main(["price", table, "--out", str(tmp_path / "priced"), *about]) == 0
        commands.append(capsys.readouterr().out)
    if not {"--batch", "--analog"} & {*flags.split()}:
        out = ["--out", str(tmp_path / "s"), "--samples", "10", "--pictures", "none"]
        assert main(["sensitivity", run, *out, *about]) == 0
        commands.append(capsys.readouterr().out)
    for said in commands:
        said = " ".join(said.split())
        assert says in said
        assert (f"--set {key} moves nothing on mine+set" in said) == bool(says)


def test_another_precision_is_the_same_chip() -> None:
    # 45nm-int8 has the SRAM of 45nm, but another multiply-accumulate.
    request = asked("memory.sram.capacity=4MiB", "prices.mac=0.5pJ")
    [(name, int8)] = request.siblings("int8").items()
    assert (name, int8.name) == ("45nm+set", "45nm-int8+set")
    assert int8.memory["sram"].capacity_bytes == 4 << 20
    assert int8.prices == asked().siblings("int8")["45nm"].prices
    untouched = asked("prices.mac=0.5pJ").siblings("int8")["45nm+set"]
    assert untouched == asked().siblings("int8")["45nm"]


def test_a_run_keeps_what_was_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = "--model gpt2-small --seq-len 8 --hw 45nm --pictures none --no-page"
    out = ["--out", str(tmp_path / "run"), "--set", "prices.mac=0.5pJ"]
    assert main(["plan", *flags.split(), *out]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "Set on the command line, for this run: prices.mac=0.5pJ"
    record = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert record["settings"]["set"] == ["prices.mac=0.5pJ"]
    price = record["hardware"]["45nm+set"]["profile"]["prices"]["mac"]
    assert (price["source"], price["evidence"]) == ("set on the command line", "unverified")
    # What was set is part of the run: its report is made again without the flag.
    again = ["report", str(tmp_path / "run"), "--out", str(tmp_path / "again"), "--pictures=none"]
    assert main([*again, "--no-page"]) == 0
    assert (tmp_path / "again" / "savings.csv").read_bytes() == (
        tmp_path / "run" / "savings.csv"
    ).read_bytes()
