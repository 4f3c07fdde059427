from __future__ import annotations

import json
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from servers import measured_csv, points

from hwmodels import load_profile
from hwmodels.wholechip import Work
from neurt.cli import main

HEADER = (
    "model,gpu,gpus,batch,prompt_tokens,output_tokens,j_per_token,itl_ms,tokens_per_s,"
    "size_weight_bytes,size_cache_bytes,size_macs,size_attention_macs,size_activation_bytes,"
    "size_sublayers,size_width"
)
CONFIG = {
    "model_type": "llama",
    "hidden_size": 512,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "intermediate_size": 1024,
    "vocab_size": 2000,
    "max_position_embeddings": 8192,
    "torch_dtype": "bfloat16",
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def table(path: Path, header: str = HEADER) -> Path:
    rows = [
        f"{x.model},H,{x.step.gpus},{x.step.sequences},50,200,{x.energy_j},"
        f"{1e3 * (x.latency_s or 0)},{x.rate},{x.step.weight_bytes},1e5,"
        f"{x.step.weight_bytes / 2},1e5,1e6,{x.step.sublayers},2048"
        for x in points()
    ]
    return measured_csv(path, header, *rows)


def fitted(tmp_path: Path) -> Path:
    out = tmp_path / "mine.toml"
    words = ["hw", "fit", str(table(tmp_path / "m.csv")), "--out", str(out), "--pictures", "none"]
    assert main([*words, "--source", "my meter", "--force"]) == 0
    return out


def test_a_fit_is_a_profile_that_is_valid_and_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = fitted(tmp_path)
    said = capsys.readouterr().out
    assert "Mean relative error on a model that the fit had not seen (4 models)" in said
    assert "Written to" in said
    profile = load_profile(out)
    chip = profile.whole_chip
    assert (profile.name, profile.scope) == ("mine", "whole_chip")
    assert chip is not None
    assert {Work.STEP, Work.WEIGHT_BYTE, Work.CACHE_BYTE, Work.MAC} <= set(chip.energy)
    assert {cost.evidence.value for cost in chip.energy.values()} == {"derived"}
    assert chip.energy[Work.WEIGHT_BYTE].source == "my meter; fitted by `neurt-energy hw fit`"
    assert chip.energy[Work.WEIGHT_BYTE].spread is not None
    assert [x.model for x in chip.left_out] == ["small", "middle", "large", "wide"]
    assert (chip.fitted.points, chip.fitted.models) == (32, 4)
    assert main(["hw", "validate", str(out)]) == 0
    assert main(["hw", "show", str(out)]) == 0
    said = capsys.readouterr().out
    assert "fitted on 32 points of 4 models: 8 to 512 sequences" in said
    assert "time between tokens" in said


def test_json_has_errors_prices_and_notes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = table(tmp_path / "m.csv")
    assert main(["hw", "fit", str(path), "--pictures", "none", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["model"] for row in found["errors"]] == [
        *("small", "middle", "large", "wide", "all: dense", "all")
    ]
    assert found["files"] == ["m.toml"]
    assert {row["target"] for row in found["prices"]} == {
        *("energy per token", "time between tokens", "time of a step")
    }


def test_a_picture_of_the_residuals_is_beside_the_file(tmp_path: Path) -> None:
    path = table(tmp_path / "m.csv")
    assert main(["hw", "fit", str(path), "--out", "x/y.toml", "--pictures", "png", "--quiet"]) == 0
    assert {x.name for x in (tmp_path / "x").iterdir()} == {"y.toml", "y.png"}


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(list(words)) in (1, 2)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


@pytest.mark.parametrize(
    ("row", "words", "sentence"),
    [
        ("m,1,2,3,,", [], "line 2: model 'm' is not known; give one of"),
        ("org/unheard-of,1,2,3,,", [], "the sizes of 'org/unheard-of' are not in the local cache"),
        ("gpt2-small,1,2,3,,", [], "1 measured points are too few: a fit needs 8, of two models"),
        ("gpt2-small,1,2,3,fp3,", [], "number format 'fp3' is not known; known are bfloat16"),
        ("gpt2-small,1,2,3,,9", [], "sizes are given, but size_weight_bytes, size_cache_bytes"),
        ("gpt2-small,1,2,3,,", ["--gpu", "H100"], "--gpu H100 is in no row of 'm.csv'; there are"),
        ("gpt2-small,1,2,3,,", ["--prompt", "chat=3"], "--prompt chat=3 has no effect: no row"),
        ("gpt2-small,1,2,3,,", ["--prompt", "3"], "--prompt: must be TASK=TOKENS, not '3'"),
    ],
)
def test_what_cannot_be_fitted_is_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    row: str,
    words: list[str],
    sentence: str,
) -> None:
    measured_csv(tmp_path / "m.csv", "model,batch,generate,j_per_token,precision,size_width", row)
    assert sentence in refusal(capsys, "hw", "fit", "m.csv", *words)


def test_gpus_that_cannot_share_the_heads_are_refused_with_their_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured_csv(tmp_path / "m.csv", "model,batch,generate,j_per_token,gpus", "Qwen3-8B,1,2,3,3")
    said = refusal(capsys, "hw", "fit", "m.csv")
    assert "line 2: 3 GPUs cannot share the 32 heads (8 cached) of 'Qwen/Qwen3-8B'; give" in said


def test_very_many_points_are_thinned_and_it_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurt.measure.fitting.MOST_POINTS", 16)
    path = table(tmp_path / "m.csv")
    assert main(["hw", "fit", str(path), "--pictures", "none"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "32 points are more than a fit gains from: 16 of them are used" in said
    profile = load_profile(tmp_path / "m.toml")
    assert profile.whole_chip is not None
    assert [x.points for x in profile.whole_chip.left_out] == [4, 4, 4, 4]


def test_guesses_stand_in_the_profile_with_what_hangs_on_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header = "model,gpus,batch,output_tokens,j_per_token,precision"
    rows = [
        f"{name},1,{batch},200,{factor * (1 + 20 / batch)},bfloat16"
        for name, factor in (("Llama-3.1-8B", 1), ("Qwen3-8B", 1.1))
        for batch in (8, 16, 32, 64)
    ]
    path = measured_csv(tmp_path / "m.csv", header, *rows)
    assert main(["hw", "fit", str(path), "--pictures", "none", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    others = [row["what"] for row in found["otherwise"]]
    assert others[:3] == [
        "as it is",
        "assumed prompts half as long",
        "assumed prompts twice as long",
    ]
    [said] = [x for x in load_profile(tmp_path / "m.toml").assumptions if "guesses" in x]
    assert said.startswith("Tokens of a prompt were not measured: 150 (any task) are guesses. With")


def test_a_plan_says_that_narrow_weights_save_no_arithmetic(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fitted(tmp_path)
    words = plan("--model", model(tmp_path), "--widths", "weights=8", "--out", "run")
    assert main(words) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Weights of 8 bits save bytes here and no arithmetic" in said


def test_several_gpus_need_a_choice_and_a_file_is_not_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured_csv(
        tmp_path / "m.csv", "model,gpu,batch,generate,j_per_token", "m,A,1,2,3", "m,B,1,2,3"
    )
    assert "are of several GPUs (A, B)" in refusal(capsys, "hw", "fit", "m.csv")
    (tmp_path / "m.svg").write_text("my own picture", encoding="utf-8")
    assert "'m.svg' exists; choose another --out" in refusal(capsys, "hw", "fit", "m.csv")
    (tmp_path / "m.toml").write_text("", encoding="utf-8")
    assert "'m.toml' exists; choose another --out" in refusal(capsys, "hw", "fit", "m.csv")


def test_a_model_that_labels_texts_has_no_tokens_of_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kind = {"architectures": ["LlamaForSequenceClassification"], "num_labels": 3}
    words = ("plan", "--model", model(tmp_path, **kind), "--hw", "h100")
    said = refusal(capsys, *words, "--prompt", "9", "--generate", "4")
    assert "gives 3 labels and generates no tokens" in said
    assert "--seq-len on prices of operations" in said


def test_the_table_of_points_is_never_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = table(tmp_path / "m.csv")
    before = path.read_bytes()
    words = ("hw", "fit", "m.csv", "--out", "./m.csv", "--force")
    assert "'m.csv' is the table of measured points itself" in refusal(capsys, *words)
    assert path.read_bytes() == before


def model(tmp_path: Path, **changed: object) -> str:
    folder = tmp_path / "model"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG | changed), encoding="utf-8")
    return str(folder / "config.json")


def plan(*words: str) -> list[str]:
    return ["plan", "--hw", "mine.toml", "--prompt", "200", "--generate", "100", *words]


def test_a_plan_on_it_gives_energy_time_rate_and_power(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fitted(tmp_path)
    capsys.readouterr()
    words = plan("--model", model(tmp_path), "--batch", "32", "--gpus", "2", "--out", "out")
    assert main([*words, "--json"]) == 0
    [server] = json.loads(capsys.readouterr().out)["servers"]
    figures = server["figures"]
    assert list(figures) == [
        *("energy_j_per_token", "energy_j_per_request", "latency_ms", "tokens_per_s", "power_w")
    ]
    energy = figures["energy_j_per_token"]
    assert energy["low"] <= energy["value"] <= energy["high"]
    assert energy["value"] == pytest.approx(sum(part["energy_j"] for part in server["parts"]))
    assert figures["energy_j_per_request"]["value"] == pytest.approx(100 * energy["value"])
    power = energy["value"] * figures["tokens_per_s"]["value"]
    assert figures["power_w"]["value"] == pytest.approx(power)
    # 4 layers of (2 x 512^2 + 2 x 512 x 256 + 3 x 512 x 1024) weights, and the head of 2,000 rows
    weights = 4 * (2 * 512**2 + 2 * 512 * 256 + 3 * 512 * 1024) + 2000 * 512
    [moved] = [x["amount"] for x in server["parts"] if x["work"] == "weight_byte"]
    assert moved == 2 * weights
    assert {x.name for x in (tmp_path / "out").iterdir()} == {
        *("serving.csv", "serving_parts.csv", "serving.json")
    }


def test_the_card_of_a_server_has_its_energy_and_interval(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fitted(tmp_path)
    capsys.readouterr()
    words = plan("--model", model(tmp_path), "--batch", "32", "--out", "out", "--card")
    assert main([*words, "--carbon-intensity", "360", "--json"]) == 0
    [server] = json.loads(capsys.readouterr().out)["servers"]  # one document
    figure = server["figures"]["energy_j_per_token"]
    energy, carbon = ModelCard.load(tmp_path / "out" / "card.md").data.eval_results
    assert energy.metric_value == figure["value"]
    assert (energy.metric_args["low"], energy.metric_args["high"]) == (
        figure["low"],
        figure["high"],
    )
    assert energy.metric_args["evidence"] == "derived"
    assert energy.metric_args["bound"] == "whole chip"
    assert "90 % of measurements" in energy.metric_args["interval"]
    # 1e6 tokens x J / 3.6e6 J per kWh x 360 g per kWh = 100 g per J
    assert carbon.metric_value == pytest.approx(100 * figure["value"])
    conditions = energy.dataset_args
    assert (conditions["prompt"], conditions["generate"], conditions["batch"]) == (200, 100, 32)
    card = json.loads((tmp_path / "out" / "card.json").read_text(encoding="utf-8"))
    assert any("fitted on measured energies" in note for note in card["notes"])
    assert main([*words[:-1], "--force", "--quiet"]) == 0
    assert not (tmp_path / "out" / "card.md").exists()


def test_what_a_spiking_version_would_change_is_said_as_an_assumption(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fitted(tmp_path)
    assert main(plan("--model", "gpt2-small", "--out", "out")) == 0
    said = capsys.readouterr().out
    assert "on a GPU an event is a multiply-accumulate, so that 4 time steps are 4 times" in said
    assert "an assumption that nobody has measured: a kernel that reads the " in said
    assert "1 sequence side by side: 'mine' was fitted on 8 to 512" in said


def test_widths_are_those_of_weights_and_of_the_cache(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fitted(tmp_path)

    def moved(*words: str) -> dict[str, float]:
        capsys.readouterr()
        out = ["--out", f"out{len(words)}", "--json"]
        assert main(plan("--model", model(tmp_path), *words, *out)) == 0
        [server] = json.loads(capsys.readouterr().out)["servers"]
        return {x["work"]: x["amount"] for x in server["parts"]}

    wide, narrow = moved(), moved("--widths", "weights=4.5,kv=8")
    assert narrow["weight_byte"] == pytest.approx(wide["weight_byte"] * 4.5 / 16)
    assert narrow["cache_byte"] == pytest.approx(wide["cache_byte"] / 2)
    assert narrow["mac"] == wide["mac"]


def test_what_does_not_fit_the_memory_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = table(tmp_path / "m.csv")
    words = ["hw", "fit", str(path), "--out", "mine.toml", "--pictures", "none"]
    assert main([*words, "--memory", "20MB"]) == 0
    capsys.readouterr()
    assert main(plan("--model", model(tmp_path), "--out", "one")) == 0
    said = capsys.readouterr().out
    # 10,461,184 weights of 2 bytes are 21 MB
    assert "Weights of 0.0209 GB and caches of " in said
    assert " do not fit the 0.02 GB of each of 1 GPU: give more --gpus, a smaller" in said
    assert main(plan("--model", model(tmp_path), "--gpus", "2", "--out", "two")) == 0
    assert "do not fit" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--gpus", "3"], "3 GPUs cannot share the 8 heads (4 cached) of "),
        (["--attention", "causal"], "--attention has no effect on 'mine', whose prices are those"),
        (["--hw", "45nm"], "'mine' has the prices of a whole chip, '45nm' those of operations"),
        (["--gpus", "0"], "--gpus: must be at least 1"),
        (
            ["--widths", "vectors=8"],
            "--widths vectors has no effect on mine: a whole chip is",
        ),
        (["--fusion", "fused"], "--fusion has no effect on mine: the prices are those of a whole"),
    ],
)
def test_a_plan_that_makes_no_sense_there_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    fitted(tmp_path)
    capsys.readouterr()
    assert sentence in refusal(capsys, *plan("--model", model(tmp_path), *words))


def test_other_commands_and_other_profiles_refuse_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fitted(tmp_path)
    capsys.readouterr()
    words = ["plan", "--model", "gpt2-small", "--hw"]
    assert "give --prompt N and --generate N (--generate 1 is the prefill alone)" in refusal(
        capsys, *words, "mine.toml"
    )
    assert "--gpus has no effect on '45nm'" in refusal(capsys, *words, "45nm", "--gpus", "2")
    priced = refusal(capsys, "map", "--model", "gpt2-small", "--hw", "mine.toml")
    assert "none of an operation; it is for `plan` with --prompt and --generate" in priced
