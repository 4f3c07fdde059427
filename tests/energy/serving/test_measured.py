from __future__ import annotations

from pathlib import Path

import pytest
from servers import measured_csv

from energy.serving.columns import MEANINGS, NUMBERS, WORDS, describe, named
from energy.serving.measured import MeasuredError, read_measured

HEADER = "model,batch,output_tokens,energy_per_token_j"


def read(tmp_path: Path, header: str, *rows: str) -> tuple[list[object], list[str]]:
    said: list[str] = []
    found = read_measured(measured_csv(tmp_path / "m.csv", header, *rows), said.append)
    return list(found), said


def test_a_table_of_ml_energy(tmp_path: Path) -> None:
    header = (
        "model_id,task,weight_precision,gpu_model,num_gpus,data_parallel,avg_batch_size,"
        "avg_output_len,energy_per_token_joules,median_itl_ms,output_throughput_tokens_per_sec,x"
    )
    [row], said = read(tmp_path, header, "org/m,chat,bfloat16,H100,2,1,7.9,400,0.5,8,950,9")
    assert vars(row) == {
        "line": 2,
        "model": "org/m",
        "config": "",
        "task": "chat",
        "precision": "bfloat16",
        "gpu": "H100",
        "gpus": 2,
        "batch": 7.9,
        "output": 400,
        "prompt": None,
        "energy_j": 0.5,
        "latency_s": pytest.approx(0.008),
        "rate": 950,
        "sizes": {},
    }
    assert said == [f"measured points '{tmp_path / 'm.csv'}': columns left out: x"]


def test_an_export_of_zeus_beside_what_was_served(tmp_path: Path) -> None:
    # Two GPUs, 300 + 100 J, 2 s, 10 requests of 20 tokens: 400 / 200 = 2 J and 100 tokens/s.
    header = (
        "start_time,window_name,elapsed_time,gpu0_energy,gpu1_energy,model,batch,requests,"
        "output_tokens"
    )
    [row], _ = read(tmp_path, header, "0,w,2,300,100,m,8,10,20")
    assert (row.energy_j, row.gpus, row.rate) == (2.0, 2, 100.0)  # type: ignore[attr-defined]


def test_an_export_of_codecarbon_is_in_kwh(tmp_path: Path) -> None:
    # 1e-4 kWh = 360 J for 10 x 18 tokens: 2 J; CPU and memory are left out.
    header = (
        "timestamp,duration,cpu_energy,gpu_energy,ram_energy,energy_consumed,gpu_count,gpu_model,"
        "model,batch,requests,output_tokens"
    )
    [row], said = read(tmp_path, header, "t,9,1,1e-4,1,3,1,1 x H100,m,8,10,18")
    assert row.energy_j == pytest.approx(2)  # type: ignore[attr-defined]
    assert row.rate == pytest.approx(20)  # type: ignore[attr-defined]
    assert said[1].endswith("column 'gpu_energy' is in kWh, and is converted to J")


@pytest.mark.parametrize(
    ("column", "value", "joules"),
    [
        ("energy_per_token_wh", "0.001", 3.6),
        ("kwh_per_token", "1e-6", 3.6),
        ("mj_per_token", "250", 0.25),
        ("J per token", "2", 2.0),
    ],
)
def test_units_are_those_of_the_name(
    tmp_path: Path, column: str, value: str, joules: float
) -> None:
    [row], said = read(tmp_path, f"model,batch,generate,{column}", f"m,1,9,{value}")
    assert row.energy_j == pytest.approx(joules)  # type: ignore[attr-defined]
    assert len(said) == ("wh" in column) + 1
    assert said[0].endswith("no column says the number of GPUs, which are taken to be 1 each")


def test_gpus_are_those_that_share_a_layer_where_nothing_else_says_them(tmp_path: Path) -> None:
    [row], said = read(tmp_path, f"{HEADER},tensor_parallel", "m,1,2,3,4")
    assert row.gpus == 4  # type: ignore[attr-defined]
    assert said[0].endswith("number of GPUs, which are those of 'tensor_parallel'")
    [row], said = read(tmp_path, f"{HEADER},tensor_parallel,gpus", "m,1,2,3,2,4")
    assert (row.gpus, said) == (4, [])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("header", "row", "sentence"),
    [
        (
            "model,batch",
            "m,1",
            "output_tokens, energy_per_token_j; `neurt-energy hw fit --help` lists all",
        ),
        ("model,batch,generate,energy_j", "m,1,2,3", "lack the column requests; `neurt-energy hw"),
        ("model,batch,generate,energy", "m,1,2,3", "column 'energy' does not say its unit; call "),
        (f"{HEADER},j_per_token", "m,1,2,3,3", "have energy_per_token_j, j_per_token, which are"),
        (HEADER, "m,1,2,-3", "line 2, column 'energy_per_token_j' (= '-3') must be more than 0"),
        (HEADER, "m,1,2,0", "line 2, column 'energy_per_token_j' (= '0') must be more than 0"),
        (HEADER, "m,1,2,much", "column 'energy_per_token_j' (= 'much') must be a number"),
        (HEADER, "m,1,2,1e7", "(= '1e7') is more than any server; check its unit"),
        (HEADER, "m,,2,3", "line 2 has no batch"),
        (HEADER, ",1,2,3", "line 2 has no model"),
        (HEADER, "m,1,2,", "line 2 has no energy, or no requests that it is of"),
        (f"{HEADER},gpus", "m,1,2,3,1.5", "line 2 has 1.5 GPUs; give a whole number"),
        ("", "", "are empty; the first line names the columns (`neurt-energy hw fit --help`"),
        (f"{HEADER},gpus,tp", "m,1,2,3,4,3", "line 2 has 4 GPUs, of which 3 share each layer: no"),
        (f"{HEADER},data_parallel", "m,1,2,3,2", "line 2 is of several replicas; give batch and"),
        (f"{HEADER},prompt", "m,1,2,3,-1", "column 'prompt' (= '-1') must not be negative"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(
    tmp_path: Path, header: str, row: str, sentence: str
) -> None:
    with pytest.raises(MeasuredError) as refused:
        read(tmp_path, header, row)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_every_column_is_described() -> None:
    assert set(MEANINGS) == set(WORDS) | set(NUMBERS)
    assert "  batch, avg_batch_size, batch_size, concurrency\n      mean sequences" in describe()


def test_the_document_lists_every_column() -> None:
    page = (Path(__file__).parents[3] / "docs/results/validation.md").read_text(encoding="utf-8")
    for names, meaning in named():
        assert f"| {', '.join(f'`{name}`' for name in names)} | {meaning} |\n" in page


@pytest.mark.parametrize(
    ("header", "row", "watts"),
    [
        # 100 J for a token, 8 sequences of a token in 8 ms each, 2 GPUs: 100 x 8 / 0.008 / 2 W.
        ("itl_ms,gpus", "m,8,2,100,8,2", "5e+04"),
        # The same of tokens per second, and a joule that was said in Wh: 0.5 / 3600 x 600 W.
        ("tokens_per_s", "m,8,2,0.000139,600", "0.0834"),
    ],
)
def test_a_power_that_no_gpu_draws_is_a_wrong_unit(
    tmp_path: Path, header: str, row: str, watts: str
) -> None:
    with pytest.raises(MeasuredError, match="line 2 makes ") as refused:
        read(tmp_path, f"{HEADER},{header}", row)
    assert f"{watts} W for each GPU" in str(refused.value)
    assert "check units" in str(refused.value)
