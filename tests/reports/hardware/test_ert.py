from __future__ import annotations

from pathlib import Path

import pytest

from hwmodels import HardwareProfile, Op, ProfileError
from hwmodels.catalog import parse_profile
from neurt.cli import main
from reports.hardware.cost_levels import Access
from reports.hardware.costs import read_costs
from reports.hardware.costs_text import Frame, costs_text, notes

#: Components and actions as Timeloop and Accelergy (0.3 and 0.4) export them.
ERT = """\
ERT:
  version: '0.4'
  tables:
  - name: system_top_level.DRAM[1..1]
    actions:
    - name: write
      arguments: {global_cycle_seconds: 1e-09, action_latency_cycles: 1}
      energy: 512.0
    - name: read
      arguments: {global_cycle_seconds: 1e-09, action_latency_cycles: 1}
      energy: 480
    - {name: update, arguments: {}, energy: 512.0}
    - {name: leak, arguments: {}, energy: 0.0}
  - name: system_top_level.PE[0..167].weights_spad
    actions:
    - {name: write, arguments: {address_delta: 1, data_delta: 1}, energy: 1.6}
    - {name: write, arguments: {address_delta: 0, data_delta: 0}, energy: 0.061}
    - {name: read, arguments: {address_delta: 0, data_delta: 0}, energy: 0.061}
    - {name: read, arguments: {address_delta: 1, data_delta: 1}, energy: 1.2}
  - name: system_top_level.PE[0..167].mac
    actions:
    - {name: mac_random, arguments: null, energy: 2.2}
    - {name: mac_gated, arguments: null, energy: 1e-1}
  - name: system_top_level.A2D_NoC
    actions:
    - {name: transfer_Outputs, arguments: {num_destinations: 1}, energy: 223.232}
  - name: system_top_level.scratchpad
    actions:
    - {name: read, arguments: null, energy: 0.0}
"""
ABOUT = {
    "dram": Access(64),
    "weights_spad": Access(16, 448),
    "scratchpad": Access(8),
}


def made(tmp_path: Path, text: str = ERT, **about: Access) -> tuple[HardwareProfile, list[str]]:
    path = tmp_path / "timeloop-mapper.ERT.yaml"
    path.write_text(text, encoding="utf-8")
    costs = read_costs(path, about)
    profile = parse_profile(costs_text(costs, Frame("mine", precision="int16")), path)
    return profile, [*notes(costs)]


def test_an_export_becomes_a_profile(tmp_path: Path) -> None:
    profile, said = made(tmp_path, **ABOUT)
    assert {op: price.pj for op, price in profile.prices.items()} == {Op.MAC: 2.2}
    where = "timeloop-mapper.ERT.yaml, line 22: system_top_level.PE[0..167].mac, mac_random"
    assert profile.prices[Op.MAC].source == where
    # 480 and 512 pJ of 64 bits; of a scratch-pad the largest numbers, 1.2 and 1.6 pJ of 16
    ends = {x: (it.read_pj_per_byte, it.write_pj_per_byte) for x, it in profile.memory.items()}
    assert ends == {"dram": (60, 64), "weights_spad": (0.6, 0.8)}
    assert profile.memory["weights_spad"].capacity_bytes == 448
    assert profile.placement["weights"] == ("weights_spad", "dram")
    text = " ".join(said)
    for sentence in (
        "weights_spad, write: of 2 numbers, from 0.061 to 1.6 pJ, the largest counts "
        "(address_delta 1, data_delta 1)",
        "DRAM[1..1], update (512 pJ / 64 bit); an update is taken to be a write, at the same price",
        "DRAM[1..1], leak (0 pJ).",
        "mac, mac_gated (0.1 pJ).",
        "A2D_NoC, transfer_Outputs (223.232 pJ).",
        "scratchpad, read (0 pJ / 8 bit); memory.scratchpad has no write.",
    ):
        assert sentence in text


def test_accesses_without_bits_have_no_price_and_are_listed(tmp_path: Path) -> None:
    profile, said = made(tmp_path)
    assert profile.memory == {}
    assert not profile.is_priced(Op.WEIGHT_READ)
    unknown = [sentence for sentence in said if "how many bits? Give --bits dram=64" in sentence]
    assert len(unknown) == 3  # its read, its write and its update


def test_what_is_named_beside_the_table_is_a_memory(tmp_path: Path) -> None:
    odd = ERT.replace("weights_spad", "attic")
    profile, said = made(tmp_path, odd)
    assert profile.memory == {}
    assert "attic, read (1.2 pJ); not known as a memory: give --bits attic=64" in " ".join(said)
    profile, said = made(tmp_path, odd, dram=Access(64), attic=Access(16, 448))
    assert profile.memory["attic"].read_pj_per_byte == 0.6  # 1.2 pJ of 16 bits
    assert profile.placement["weights"] == ("attic", "dram")
    _, said = made(tmp_path, odd, attic=Access(None, 448))
    assert "attic, read (1.2 pJ); an access of how many bits? Give --bits attic=64" in " ".join(
        said
    )


def test_the_command_takes_it_with_what_it_does_not_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ERT.yaml").write_text(ERT, encoding="utf-8")
    words = "hw new mine --from ERT.yaml --extends 45nm --bits dram=64,weights_spad=16 --capacity"
    assert main([*words.split(), "weights_spad=1KiB"]) == 0
    said = capsys.readouterr()
    assert "223.232 pJ" in said.out
    assert main(["hw", "validate", "mine.toml"]) == 0
    words = "plan --model gpt2-nano --hw mine.toml --seq-len 4 --pictures none --no-page --out run"
    assert main(words.split()) == 0
    capsys.readouterr()
    for flags, says in (
        ("--from ERT.yaml --bits drum=64", "no component 'drum'; did you mean 'dram'?"),
        ("--bits dram=64", "it is of a memory of a table of costs; give --from FILE"),
        ("--from ERT.yaml --capacity dram=64", "must be an amount of data with its unit"),
    ):
        assert main(["hw", "new", "other", *flags.split()]) != 0
        assert says in " ".join(capsys.readouterr().err.split()), flags


def test_a_table_in_csv_takes_bits_of_a_memory_too(tmp_path: Path) -> None:
    path = tmp_path / "costs.csv"
    path.write_text("name,action,energy\na.DRAM,access,512\na.mac,compute,1\n", encoding="utf-8")
    with pytest.raises(ProfileError, match="an access of how many bits"):
        read_costs(path)
    read, _ = read_costs(path, {"dram": Access(64)}).memory["dram"]
    assert read.energy == "512 pJ / 64 bit"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("ERT:", "ART:", "no 'ERT', but ART; give the energy reference table of Accelergy"),
        ("energy: 480", "energy: .inf", r"line 9 .*DRAM.*, read.*: energy inf is no number"),
        ("energy: 480", "energy: -1", "energy -1 is no number of picojoules"),
        ("energy: 480", "energy: true", "energy True is no number"),
        ("energy: 480", "energy: 480\n      energy_unit: nJ", "'energy_unit' is no key of an ERT"),
        ("- name: write\n", "- nome: write\n", "'nome' is no key of an ERT"),
        ("tables:", "tables: 3 #", "are no YAML|no list of tables"),
        ("ERT:", "ERT: !!python/object/apply:os.getcwd []\nX:", "are no YAML"),
        ("ERT:", "[" * 3000 + "ERT:", "are no YAML"),
        ("system_top_level.PE[0..167].mac", "x.adc", "x.adc, mac_random"),
    ],
)
def test_what_is_no_table_is_one_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert ERT.count(old) >= 1
    if "adc" in new:  # nothing is priced
        with pytest.raises(ProfileError, match="price nothing that a model does"):
            made(tmp_path, ERT.replace(old, new))
        return
    with pytest.raises(ProfileError, match=says):
        made(tmp_path, ERT.replace(old, new))
