from __future__ import annotations

import contextlib
import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure
from transformers import GPT2Config, GPT2LMHeadModel

from neurt.cli import main
from neurt.loading.models import load_model
from neurt.spiking.config import SpikingConfig
from neurt.spiking.conversion import convert
from neurt.text.data import calibration
from reports.kit import style

LAYERS, WIDTH, HEADS, VOCABULARY = 2, 32, 4, 50257
TOKENS, BATCH, WINDOWS, TIMESTEPS = 16, 2, 2, 4

LABEL = "local(tiny-gpt2)"

TABLES = (
    *("counts.csv", "steps.csv", "phases.csv", "layers.csv", "blocks.csv"),
    *("savings.csv", "baselines.csv"),
)
FILES = {
    *TABLES,
    *("summary.md", "report.html", "run.json", "roofline.csv", "batch.csv"),
    *("spike_rates.png", "spike_rates.svg"),
    *("roofline_45nm.png", "roofline_45nm.svg"),  # Loihi has no prices of memory
    *("batch_45nm.png", "batch_45nm.svg"),
    *(
        f"{name}_{hw}.{suffix}"
        for name in ("layers", "components")
        for hw in ("45nm", "loihi")
        for suffix in ("png", "svg")
    ),
}

Row = dict[str, str]


@dataclass(frozen=True)
class Finished:
    phase: str
    out: Path
    said: str

    def rows(self, name: str) -> list[Row]:
        with (self.out / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def layers(self, hw: str, variant: str) -> dict[str, Row]:
        return {
            row["layer"]: row
            for row in self.rows("layers.csv")
            if (row["hw"], row["variant"]) == (hw, variant)
        }

    def counted(self, variant: str) -> dict[str, Row]:
        return {r["layer"]: r for r in self.rows("counts.csv") if r["variant"] == variant}

    @property
    def queries(self) -> int:
        # New tokens of a sequence; in both phases it attends 16.
        return TOKENS if self.phase == "prefill" else 1


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny-gpt2"
    config = GPT2Config(
        n_layer=LAYERS, n_embd=WIDTH, n_head=HEADS, n_positions=64, vocab_size=VOCABULARY
    )
    with torch.random.fork_rng():
        torch.manual_seed(11)
        GPT2LMHeadModel(config).save_pretrained(path)
    return path


def words(tiny: Path, phase: str, out: Path, windows: int = WINDOWS) -> list[str]:
    tokens = "--seq-len" if phase == "prefill" else "--context"
    asked = ["profile", "--model", str(tiny), "--hw", "45nm", "--hw", "loihi", "--phase", phase]
    asked += [tokens, str(TOKENS), "--batch", str(BATCH), "--windows", str(windows)]
    return [*asked, "--out", str(out)]


def profile(*arguments: str) -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert main(arguments) == 0
    return said.getvalue()


def profiled(tiny: Path, phase: str, out: Path) -> Finished:
    # The pictures of one phase are drawn; of the other, their titles are enough.
    with pytest.MonkeyPatch.context() as patch:
        if phase == "decode":
            patch.setattr(
                style, "save", lambda figure, path: path.write_text(figure.get_suptitle())
            )
        # Its arithmetic below is that of Spikformer attention and of signed integrate-and-fire.
        said = profile(*words(tiny, phase, out), "--form", "spikformer")
        return Finished(phase, out, said)


@pytest.fixture(scope="module", params=["prefill", "decode"])
def finished(
    request: pytest.FixtureRequest, tiny: Path, tmp_path_factory: pytest.TempPathFactory
) -> Finished:
    return profiled(tiny, request.param, tmp_path_factory.mktemp("runs") / "one")


def test_the_files_are_there_and_no_others(finished: Finished) -> None:
    assert {path.name for path in finished.out.iterdir()} == FILES
    assert all(path.stat().st_size for path in finished.out.iterdir())


def test_the_run_says_its_weights_and_where_the_files_are(finished: Finished) -> None:
    assert f"tiny-gpt2: weights={LABEL}\n" in finished.said
    written = len(list(finished.out.iterdir()))
    assert f"Written to {finished.out}: {written} files\n--details prints all" in finished.said
    assert finished.said.rstrip().endswith(f"Page: {finished.out}/report.html")


@pytest.mark.parametrize("windows", [1, 2])
@pytest.mark.parametrize("phase", ["prefill", "decode"])
@pytest.mark.usefixtures("sketched")
def test_the_witnesses_agree_and_the_run_says_so(
    tiny: Path, tmp_path: Path, phase: str, windows: int
) -> None:
    said = profile(*words(tiny, phase, tmp_path, windows), "--verify")
    assert "Verified: hooks and fvcore agree on every row, hooks and plan on both models." in said


@pytest.mark.parametrize("convention", ["--attention=causal", "--coincidences"])
@pytest.mark.usefixtures("sketched")
def test_the_witnesses_agree_under_another_convention(
    tiny: Path, tmp_path: Path, convention: str
) -> None:
    asked = ["--model", str(tiny), "--hw", "45nm", "--seq-len", "8", "--out", str(tmp_path)]
    assert "Verified: " in profile("profile", *asked, convention, "--verify")


@pytest.mark.usefixtures("sketched")
def test_the_witnesses_agree_on_another_conversion(tiny: Path, tmp_path: Path) -> None:
    said = profile(
        *("profile", "--model", str(tiny), "--hw", "45nm", "--seq-len", "8", "--verify"),
        *("--form", "softmax", "--code", "pow2", "--attention-code", "burst"),
        *("--key-value", "streamed", "--timesteps", "3", "--out", str(tmp_path)),
    )
    assert "hooks and plan on both models." in said
    finished = Finished("prefill", tmp_path, said)
    found = finished.layers("45nm", "ssa")
    for name, op in (("attn.core.scores", "ac"), ("mlp.c_proj", "shift_ac")):
        row = found[f"transformer.h.1.{name}"]
        assert {key: row[key] != "0" for key in ("mac", "ac", "shift_ac")} == {
            key: key == op for key in ("mac", "ac", "shift_ac")
        }
    settings = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))["settings"]
    assert settings["spiking"]["code"] == "pow2"
    assert settings["spiking"]["attention_code"] == "burst"


def test_every_row_carries_the_weights(finished: Finished) -> None:
    for name in ("counts.csv", "layers.csv", "savings.csv"):
        assert {row["weights"] for row in finished.rows(name)} == {LABEL}, name
        assert {row["model"] for row in finished.rows(name)} == {"tiny-gpt2"}, name


def synapses(finished: Finished) -> dict[str, tuple[int, int]]:
    # MACs of each dense layer of the analog model, and the fan-out of one of its events.
    rows = BATCH * finished.queries * WINDOWS
    pairs = BATCH * HEADS * finished.queries * TOKENS * WINDOWS
    sizes = {
        "attn.c_attn": (rows * WIDTH * 3 * WIDTH, 3 * WIDTH),
        "attn.core.scores": (pairs * WIDTH // HEADS, TOKENS),
        "attn.core.mix": (pairs * WIDTH // HEADS, finished.queries),
        "attn.c_proj": (rows * WIDTH * WIDTH, WIDTH),
        "mlp.c_fc": (rows * WIDTH * 4 * WIDTH, 4 * WIDTH),
        "mlp.c_proj": (rows * 4 * WIDTH * WIDTH, WIDTH),
    }
    return {
        f"transformer.h.{depth}.{name}": size
        for depth in range(LAYERS)
        for name, size in sizes.items()
    }


def test_the_macs_of_the_analog_model_are_the_closed_form(finished: Finished) -> None:
    head = BATCH * finished.queries * WINDOWS * WIDTH * VOCABULARY
    expected = {name: macs for name, (macs, _) in synapses(finished).items()} | {"lm_head": head}
    found = finished.layers("45nm", "asa")
    assert {n: int(row["mac"]) for n, row in found.items() if row["mac"] != "0"} == expected
    assert {row["ac"] for row in found.values()} == {"0"}
    assert {row["calls"] for row in found.values()} == {str(WINDOWS)}


def test_the_accumulates_of_the_spiking_model_are_events_times_fan_out(finished: Finished) -> None:
    found = finished.layers("45nm", "ssa")
    for name, (macs, fan_out) in synapses(finished).items():
        row = found[name]
        assert int(row["mac"]) == 0, name
        assert int(row["ac"]) == int(row["spikes"]) * fan_out, name
        # Blind to spikes, each of the T steps would cost what the analog layer costs.
        assert int(row["dense_macs"]) == TIMESTEPS * macs, name
        assert 0 < int(row["spikes"]) <= int(row["slots"]), name
    # The head stays analog.
    assert found["lm_head"]["mac"] == finished.layers("45nm", "asa")["lm_head"]["mac"]
    assert {n for n, row in found.items() if row["ac"] != "0"} == set(synapses(finished))


def test_each_neuron_is_updated_once_per_step(finished: Finished) -> None:
    steps = TIMESTEPS * BATCH * finished.queries * WINDOWS
    channels = {
        "attn.encoder": WIDTH,
        "attn.qkv_neuron": 3 * WIDTH,
        "attn.mix_neuron": WIDTH,
        "mlp.encoder": WIDTH,
        "mlp.hidden_encoder": 4 * WIDTH,
    }
    found = finished.counted("ssa")
    assert {
        n: int(row["neuron_update"]) for n, row in found.items() if row["neuron_update"] != "0"
    } == {
        f"transformer.h.{depth}.{name}": steps * width
        for depth in range(LAYERS)
        for name, width in channels.items()
    }
    # LIF: 3 additions, a multiplication, a comparison; signed IF: 2 additions, 2 comparisons
    of = {name: (3, 1, 1) if name.endswith("_neuron") else (2, 0, 2) for name in channels}
    for name, row in found.items():
        short = name.split(".", 3)[-1]
        number = steps * channels.get(short, 0)
        parts = tuple(int(row[part]) for part in ("neuron_add", "neuron_mul", "neuron_cmp"))
        assert parts == tuple(each * number for each in of.get(short, (0, 0, 0))), name


def test_what_the_encoders_emit_is_what_the_layers_behind_them_receive(finished: Finished) -> None:
    found = finished.layers("45nm", "ssa")
    for depth in range(LAYERS):
        for neuron, synapse in (
            ("attn.encoder", "attn.c_attn"),
            ("attn.mix_neuron", "attn.c_proj"),
            ("mlp.encoder", "mlp.c_fc"),
            ("mlp.hidden_encoder", "mlp.c_proj"),
        ):
            emitted, received = (found[f"transformer.h.{depth}.{n}"] for n in (neuron, synapse))
            assert emitted["spikes"] == received["spikes"], synapse
            assert emitted["slots"] == received["slots"], synapse


def test_energies_are_counts_times_the_prices_of_each_profile(finished: Finished) -> None:
    # A price of a whole update pays for its parts; on 45nm it is the parts that have prices.
    ours = {"neuron_add": 0.9, "neuron_mul": 3.7, "neuron_cmp": 0.9}
    for hw, mac, ac, neuron in (
        ("45nm", 4.6, 0.9, ours),
        ("loihi", 0.0, 23.6, {"neuron_update": 81.0}),
    ):
        for variant in ("asa", "ssa"):
            for name, row in finished.layers(hw, variant).items():
                if hw == "loihi" and int(row["mac"]):  # no price, so no energy
                    assert (row["compute_pj"], row["energy_pj"]) == ("", "")
                else:
                    compute = mac * int(row["mac"]) + ac * int(row["ac"])
                    assert float(row["compute_pj"]) == pytest.approx(compute), (hw, name)
                counted = finished.counted(variant)[name]
                expected = sum(pj * int(counted[op]) for op, pj in neuron.items())
                assert float(row["neuron_pj"]) == pytest.approx(expected)


def test_the_saving_of_the_attention_block_follows_from_its_rows(finished: Finished) -> None:
    [row] = [
        row
        for row in finished.rows("savings.csv")
        if (row["hw"], row["block"], row["component"], row["accounting"])
        == ("45nm", "attention", "total", "compute")
    ]
    macs = sum(macs for name, (macs, _) in synapses(finished).items() if ".attn." in name)
    acs = sum(
        int(layer["ac"])
        for name, layer in finished.layers("45nm", "ssa").items()
        if ".attn." in name
    )
    assert int(row["asa_mac"]) == macs
    assert int(row["ssa_ac"]) == acs
    assert float(row["saving"]) == pytest.approx(1 - 0.9 * acs / (4.6 * macs))
    assert float(row["events_per_mac"]) == pytest.approx(acs / macs)
    assert (row["timesteps"], row["phase"], row["tokens"]) == (
        str(TIMESTEPS),
        "prefill" if finished.phase == "prefill" else "decode@16",
        str(BATCH * finished.queries * WINDOWS),
    )


def test_run_json_says_what_was_asked_for(finished: Finished) -> None:
    found = json.loads((finished.out / "run.json").read_text(encoding="utf-8"))
    assert (found["command"], found["model"], found["weights"]) == ("profile", "tiny-gpt2", LABEL)
    settings = found["settings"]
    assert (settings["phase"], settings["batch"], settings["windows"]) == (
        finished.phase,
        BATCH,
        WINDOWS,
    )
    assert settings["spiking"]["timesteps"] == TIMESTEPS
    assert settings["text"] == "Moby-Dick, chapters 1 and 3 (packaged)"
    assert {"python", "neurt-energy", "torch", "transformers", "fvcore"} <= set(found["versions"])
    assert "not installed" not in found["versions"].values()
    assert list(found["hardware"]) == ["45nm", "loihi"]


def contents(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir()}


def test_the_same_command_gives_the_same_bytes(
    finished: Finished, tiny: Path, tmp_path: Path
) -> None:
    profiled(tiny, finished.phase, tmp_path / "again")
    first, again = contents(finished.out), contents(tmp_path / "again")
    # Only the time is another, in what states it.
    for found in (first, again):
        created = json.loads(found["run.json"])["created"].encode()
        stated = [name for name, data in found.items() if created in data]
        assert stated == ["report.html", "run.json", "summary.md"]
        found |= {name: found[name].replace(created, b"TIME") for name in stated}
    assert again == first


@pytest.mark.usefixtures("sketched")
def test_a_run_is_replaced_only_by_force(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["plan", "--model", str(tiny), "--seq-len", "8", "--hw", "45nm", "--out", str(tmp_path)]
    assert main(asked) == 0
    older = contents(tmp_path)
    assert main([*asked, "--spike-rate", "0.5"]) == 1
    assert f"output directory '{tmp_path}' already holds a run" in capsys.readouterr().err
    assert contents(tmp_path) == older
    assert main([*asked, "--spike-rate", "0.5", "--force"]) == 0
    assert contents(tmp_path)["counts.csv"] != older["counts.csv"]


def test_an_interrupt_leaves_older_files_whole(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["profile", "--model", str(tiny), "--seq-len", "8", "--hw", "45nm"]
    asked += ["--out", str(tmp_path)]
    begun: list[str] = []

    def written(_figure: Figure, path: Path) -> None:
        begun.append(path.suffix)
        path.write_text(f"picture {len(begun)}", encoding="utf-8")

    def interrupted(figure: Figure, path: Path) -> None:
        written(figure, path)
        path.write_text("newer", encoding="utf-8")
        if begun == [".png", ".svg"]:
            raise KeyboardInterrupt

    monkeypatch.setattr(style, "save", written)
    assert main(asked) == 0
    (tmp_path / "spike_rates.png").write_bytes(b"older")
    older = contents(tmp_path)
    begun.clear()
    monkeypatch.setattr(style, "save", interrupted)
    capsys.readouterr()
    assert main([*asked, "--weights", "random", "--force"]) == 130
    assert capsys.readouterr().err == (
        "neurt-energy: interrupted; files already in place are whole\n"
    )
    now = contents(tmp_path)
    # The tables and one picture were finished; the others are the older ones, and no half file
    # is beside them.
    assert begun == [".png", ".svg"]
    # What is there is of two runs, so nothing says that it is one.
    assert set(now) == set(older) - {"run.json"}
    assert {name for name in now if now[name] != older[name]} == {
        *TABLES,
        "summary.md",
        "roofline.csv",
        "batch.csv",
        "roofline_45nm.png",
    }
    assert b"random(seed=0)" in now["counts.csv"]


@pytest.mark.slow
@pytest.mark.usefixtures("sketched")
def test_gpt2_small_is_counted_and_verified_at_full_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    said = profile(
        *("profile", "--model", "gpt2-small", "--weights", "random", "--hw", "45nm"),
        *("--seq-len", "16", "--verify", "--calibration-tokens", "32", "--out", str(tmp_path)),
    )
    assert "Verified: hooks and fvcore agree on every row, hooks and plan on both models." in said
    finished = Finished("prefill", tmp_path, said)
    macs = sum(int(row["mac"]) for row in finished.layers("45nm", "asa").values())
    # Projections 12 layers x 16 x 12 x 768^2 = 1,358,954,496; scores and mix
    # 12 x 2 x 16^2 x 768 = 4,718,592; head 16 x 768 x 50,257 = 617,558,016.
    assert macs == 1_358_954_496 + 4_718_592 + 617_558_016
    assert {row["weights"] for row in finished.rows("layers.csv")} == {"random(seed=0)"}


@pytest.mark.usefixtures("sketched")
def test_a_converted_model_that_was_saved_counts_as_it_did_when_it_was_made(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = words(tiny, "prefill", tmp_path / "made")
    profile(*made, "--timesteps", "3")
    loaded = load_model(str(tiny))
    windows = calibration(loaded.tokenizer, tokens=64).windows  # as many as it has positions
    convert(loaded.model, SpikingConfig(timesteps=3), windows).save_pretrained(tmp_path / "mine")
    said = profile(*words(tmp_path / "mine", "prefill", tmp_path / "saved"), "--verify")
    assert "mine is a converted model: T = 3, as stored with it." in said

    def counts(name: str) -> list[Row]:
        with (tmp_path / name / "counts.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert {row.pop("model") for row in rows} <= {"tiny-gpt2", "mine"}
        assert {row.pop("weights") for row in rows} <= {LABEL, "local(mine)"}
        return rows

    assert counts("made") == counts("saved")
    settings = json.loads((tmp_path / "saved" / "run.json").read_bytes())["settings"]
    assert (settings["timesteps"], settings["spiking"]["timesteps"]) == (3, 3)
    assert settings["calibration"] == "stored with the model"


def test_random_weights_for_a_converted_model_are_refused(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = load_model(str(tiny))
    windows = calibration(loaded.tokenizer, tokens=64).windows
    convert(loaded.model, SpikingConfig(), windows).save_pretrained(tmp_path / "mine")
    asked = words(tmp_path / "mine", "prefill", tmp_path / "out")
    assert main([*asked, "--weights", "random"]) == 1
    assert "thresholds belong to its weights" in capsys.readouterr().err
