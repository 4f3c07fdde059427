from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from hwmodels import Evidence, HardwareProfile, Op, ProfileError, load_profile
from hwmodels.catalog import parse_profile
from neurt.cli import main
from reports.hardware.costs import Costs, read_costs
from reports.hardware.costs_text import Frame, costs_text, notes

#: As an energy reference table of Accelergy, with the bits of an access and a capacity.
TABLE = """\
name,class,action,energy,unit,bits,capacity,evidence
chip.DRAM,DRAM,read,512,pJ,64,,simulated
chip.DRAM,DRAM,write,640,pJ,64,,simulated
chip.DRAM,DRAM,leak,0,pJ,64,,
chip.glb[1..1],smartbuffer_SRAM,read,16,pJ,64,128 KiB,simulated
chip.glb[1..1],smartbuffer_SRAM,write,14,pJ,64,128 KiB,measured
chip.PE[1..168].spad,smartbuffer_RF,read,0.4,pJ,16,,
chip.PE[1..168].spad,smartbuffer_RF,update,0.4,pJ,16,,
chip.PE[1..168].mac,intmac,compute,207.7,fJ/MAC,,,measured
chip.PE[1..168].mac,intmac,mac_gated,0.02,pJ,,,
chip.adder,intadder,add,0.05,pJ,,,simulated
chip.noc,XY_NoC,transfer,0.1,pJ,,,
"""

#: What memories on a chip are called.
NAMES = ["L1", "L2", "L3", "gb", "gbuf", "LLC", "weight_buf", "ibuf", "obuf", "input_buf", "sbuf"]
NAMES += ["TCM", "UB", "SPM", "fifo", "flash", "onchip_mem"]

Made = Callable[..., tuple[Costs, HardwareProfile]]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    def make(table: str, **frame: str) -> tuple[Costs, HardwareProfile]:
        path = tmp_path / "ert.csv"
        path.write_text(table, encoding="utf-8")
        costs = read_costs(path)
        asked = Frame("mine", **({} if "extends" in frame else {"precision": "int16"}) | frame)
        return costs, parse_profile(costs_text(costs, asked), tmp_path / "mine.toml")

    return make


def test_a_table_of_accelergy_becomes_a_profile(made: Made) -> None:
    _, profile = made(TABLE)
    assert {op: price.pj for op, price in profile.prices.items()} == {
        Op.MAC: 0.2077,  # 207.7 fJ
        Op.ADD: 0.05,
        Op.AC: 0.05,
    }
    dram, glb = profile.memory["dram"], profile.memory["glb"]
    assert (dram.read_pj_per_byte, dram.write_pj_per_byte) == (64, 80)  # 512, 640 x 8 / 64
    assert (glb.read_pj_per_byte, glb.write_pj_per_byte) == (2, 1.75)  # 16, 14 x 8 / 64
    assert (dram.capacity_bytes, glb.capacity_bytes) == (None, 128 << 10)
    # What says no room has none: the scratch-pad is no home.
    assert set(profile.memory) == {"dram", "glb"}
    assert set(profile.placement.values()) == {("glb", "dram")}
    assert (profile.precision, profile.value_bytes) == ("int16", 2)


def test_every_number_says_its_line_and_its_evidence(made: Made) -> None:
    _, profile = made(TABLE)
    mac, ac = profile.prices[Op.MAC], profile.prices[Op.AC]
    assert mac.source == "ert.csv, line 9: chip.PE[1..168].mac, compute"
    assert mac.evidence is Evidence.MEASURED
    assert ac.evidence is Evidence.DERIVED  # an addition in the table
    assert profile.memory["dram"].evidence is Evidence.SIMULATED
    assert profile.memory["glb"].evidence is Evidence.UNVERIFIED  # its ends have two
    assert profile.memory["glb"].source == (
        "ert.csv, line 5: chip.glb[1..1], read; ert.csv, line 6: chip.glb[1..1], write"
    )


def test_no_row_is_dropped_in_silence(made: Made) -> None:
    costs, _ = made(TABLE)
    assert [row.line for row in costs.left_out] == [4, 10, 12]
    said = " ".join(notes(costs))
    for words in (
        "line 4: chip.DRAM, leak",
        "mac_gated (0.02 pJ)",
        "chip.noc",
        "memory.spad says no",
    ):
        assert words in said
    rows = [*costs.prices.values(), *costs.left_out]
    rows += [row for level in costs.memory.values() for row in level]
    assert {row.line for row in rows} == {*range(2, 13)}


def test_what_prices_nothing_keeps_its_unit(made: Made) -> None:
    costs, _ = made(TABLE + "chip,static,idle,12,mW,,,\n")
    assert [row.energy for row in costs.left_out] == ["0 pJ", "0.02 pJ", "0.1 pJ", "12 mW"]


def test_a_shifter_and_an_accumulate_are_the_event_of_the_default_conversion(made: Made) -> None:
    # 20 fJ + 0.05 pJ = 0.07 pJ with the adder; 20 fJ + 0.9 pJ = 0.92 pJ where synapses have a row
    shifter = "chip.shifter,barrel_shifter,shift,20,fJ,,,measured\n"
    costs, profile = made(TABLE + shifter)
    event = profile.prices[Op.SHIFT_AC]
    assert (event.pj, event.evidence) == (pytest.approx(0.07), Evidence.DERIVED)
    assert event.source == (
        "ert.csv, line 13: chip.shifter, shift + ert.csv, line 11: chip.adder, add"
    )
    assert "chip.shifter" not in " ".join(row.called for row in costs.left_out)
    assert "a shift and an accumulate" in " ".join(profile.assumptions)
    synapse = "chip.core,synapse,event,0.9,pJ/SOP,,,\n"
    assert made(TABLE + shifter + synapse)[1].prices[Op.SHIFT_AC].pj == pytest.approx(0.92)


def test_a_row_of_shift_and_add_is_the_event_itself(made: Made) -> None:
    both = "chip.sa,shift_add,compute,0.06,pJ,,,simulated\n"
    costs, profile = made(TABLE + both + "chip.shifter,shifter,shift,0.02,pJ,,,\n")
    assert profile.prices[Op.SHIFT_AC].pj == 0.06
    assert profile.prices[Op.AC].pj == 0.05  # the adder, not this one
    assert [row.called for row in costs.left_out][-1] == "line 14: chip.shifter, shift"


def test_a_shifter_beside_no_accumulate_prices_nothing(made: Made) -> None:
    costs, profile = made("name,action,energy,unit\nmac,compute,0.2,pJ\nshifter,shift,0.02,pJ\n")
    assert set(profile.prices) == {Op.MAC}
    assert [(row.called, row.key) for row in costs.left_out] == [("line 3: shifter, shift", "")]


def test_an_access_is_a_read_and_a_write(made: Made) -> None:
    _, profile = made("name,action,energy,unit,evidence\nDRAM,access,8,pJ/bit,measured\n")
    dram = profile.memory["dram"]
    assert (dram.read_pj_per_byte, dram.write_pj_per_byte) == (64, 64)  # 8 x 8
    assert dram.evidence is Evidence.MEASURED


def test_a_row_may_say_what_it_prices(made: Made) -> None:
    table = "component,action,energy,key\nA,x,2 pJ / 8 bit,memory.a.read\n"
    table += "A,y,3 pJ/byte,memory.a.write\n"
    _, profile = made(table + "B,z,0.9 pJ/SOP,prices.ac\nadder,add,0.1 pJ,\n")
    assert profile.memory == {}  # it says no capacity, and is no memory beside the chip
    # The adder is no accumulate where those have a row of their own.
    assert {op: price.pj for op, price in profile.prices.items()} == {Op.AC: 0.9, Op.ADD: 0.1}


def test_what_the_table_does_not_say_may_be_that_of_another_profile(made: Made) -> None:
    _, profile = made("name,action,energy\nmac,compute,0.1\n", extends="45nm-int8")
    assert profile.prices[Op.MAC].pj == 0.1
    assert profile.precision == "int8"
    assert profile.prices[Op.AC] == load_profile("45nm-int8").prices[Op.AC]
    assert profile.placement


@pytest.mark.parametrize("name", NAMES)
def test_common_names_of_memories_are_memories(made: Made, name: str) -> None:
    rows = f"chip.{name}[1..4],read,20,pJ,64,4 MiB\nchip.{name}[1..4],write,24,pJ,64,4 MiB\n"
    table = "name,action,energy,unit,bits,capacity\nDRAM,access,512,pJ,64,\nmac,compute,1,pJ,,\n"
    costs, profile = made(table + rows)
    level = profile.memory[name.casefold()]
    assert (level.read_pj_per_byte, level.write_pj_per_byte) == (2.5, 3)  # 20, 24 x 8 / 64
    assert set(profile.placement.values()) == {(name.casefold(), "dram")}
    assert not costs.left_out


def test_a_width_and_a_capacity_make_a_memory_of_what_is_read(made: Made) -> None:
    table = (
        "name,action,energy,unit,bits,capacity\nmac,compute,1,pJ,,\nneuron,update,0.5,pJ,8,64 KiB\n"
    )
    rows = "chip.attic,read,20,pJ,64,{0}\nchip.attic,write,24,pJ,64,{0}\n"
    rows += "chip.noc,transfer,3,pJ,64,1 KiB\n"
    costs, profile = made(table + rows.format("4 MiB"))
    assert profile.memory["attic"].capacity_bytes == 4 << 20
    assert profile.prices[Op.NEURON_UPDATE].pj == 0.5  # an operation, whatever its row says beside
    assert [row.called for row in costs.left_out] == ["line 6: chip.noc, transfer"]
    costs, profile = made(table + rows.format(""))
    assert profile.memory == {}
    assert [bool(row.why) for row in costs.left_out] == [True, True, False]
    assert "attic, read (20 pJ); not known as a memory: give --bits attic=64" in " ".join(
        notes(costs)
    )


def test_an_inherited_event_is_said_to_be_inherited(made: Made) -> None:
    base = load_profile("45nm-int8")
    costs, profile = made(TABLE, extends="45nm-int8")
    [said] = [sentence for sentence in notes(costs, base) if "shift_ac" in sentence]
    inherited = f"inherited from 45nm-int8, {profile.prices[Op.SHIFT_AC].pj:g} pJ"
    assert inherited in said
    assert "another origin than that of ac, 0.05 pJ" in said  # that of the adder
    assert "--extends" not in said
    assert "with --extends" in " ".join(notes(costs))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "chip.adder,intadder,add",
            "chip.mac2,intmac,compute",
            "prices.mac has two numbers, line",
        ),
        ("fJ/MAC", "fJ/SOP", "line 9 (chip.PE[1..168].mac, compute): is the energy of another"),
        ("read,512,pJ,64", "read,512,pJ,", "an access of how many bits?"),
        (
            "read,512",
            "peek,512",
            "memory.dram has no read beside line 3: chip.DRAM, write; add a row",
        ),
        ("read,512", "read,cheap", "line 2 (chip.DRAM, read): must be a number"),
        ("read,512", "read,", "line 2, column 'energy' is empty"),
        ("action,energy", "action,joules", "have no column 'energy'"),
        (",evidence", ",evidnce", "column 'evidnce'; did you mean 'evidence'?"),
        ("14,pJ,64,128 KiB", "14,pJ,64,64 KiB", "memory.glb has two capacities"),
        ("pJ,64,,simulated", "pJ,64,,guessed", "evidence 'guessed' is none of measured"),
    ],
)
def test_a_fault_is_one_line(made: Made, old: str, new: str, says: str) -> None:
    assert old in TABLE
    with pytest.raises(ProfileError, match=re.escape(says)) as error:
        made(TABLE.replace(old, new))
    assert "\n" not in str(error.value)


def test_a_table_of_something_else_is_refused(made: Made) -> None:
    with pytest.raises(ProfileError, match="price nothing that a model does"):
        made("name,action,energy\npump,run,5\n")
    with pytest.raises(ProfileError, match=r"key 'prices.mc' must be .* did you mean 'prices.mac'"):
        made("name,action,energy,key\npump,run,5,prices.mc\n")
    with pytest.raises(ProfileError, match="says no number format"):
        made(TABLE, precision="integers")


def test_the_command_writes_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ert.csv").write_text(TABLE, encoding="utf-8")
    assert main(["hw", "new", "mine", "--from", "ert.csv", "--precision", "int16", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["files"] == ["mine.toml", "hardware.schema.json"]
    assert len(said["costs"]) == 12  # eleven rows, of which the addition is two prices
    schema = json.loads(Path("hardware.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    words = "plan --model gpt2-small --seq-len 8 --hw mine.toml --pictures none --no-page --out o"
    assert main(words.split()) == 0
