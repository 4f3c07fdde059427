from __future__ import annotations

import csv
import json
import math
import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

import reports.views.terminal
import reports.write
from hwmodels import load_profile
from neurt.cli import main

pytestmark = pytest.mark.usefixtures("alone")

BUILTIN = [
    "45nm",
    "45nm-fp16",
    "45nm-int8",
    "kerasspiking-arm",
    "kerasspiking-cpu",
    "kerasspiking-gpu",
    "loihi",
    "truenorth",
]

PROFILE = """\
name = "mine"
title = "A chip of mine"
precision = "fp32"
value_bytes = 4

[prices.mac]
pj = 2.0
source = "a bench"
evidence = "measured"
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    # A configuration is enough: without weights, random ones are taken.
    config = {"model_type": "gpt2", "n_layer": 2, "n_embd": 32, "n_head": 4, "n_positions": 64}
    path = tmp_path / "tiny"
    path.mkdir()
    (path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return path


Fails = Callable[..., str]


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]) -> Fails:
    # Run a command that must fail; returns the one line it says.

    def run(*words: object, code: int = 1) -> str:
        assert main([str(word) for word in words]) == code
        said = capsys.readouterr().err
        assert said.count("\n") == 1, said
        assert said.startswith("neurt-energy: ")
        assert "Traceback" not in said
        return said.removeprefix("neurt-energy: ").removesuffix("\n")

    return run


@pytest.fixture
def toml(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def command(*words: object, **env: str) -> subprocess.CompletedProcess[str]:
    script = "import sys; from neurt.cli import main; sys.exit(main())"
    kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, words)],
        capture_output=True,
        text=True,
        env=kept | env,
        check=False,
    )


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# What is not imported


def test_help_listing_planning_and_pricing_do_not_import_torch(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "counts.csv").write_text("layer,mac,ac\na,1,1\n", encoding="utf-8")
    script = (
        "import contextlib, io, json, sys\n"
        "from neurt.cli import main\n"
        "done = []\n"
        "for words in json.loads(sys.argv[1]):\n"
        "    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "        main(words)\n"
        "    done.append(sorted({'torch', 'transformers'} & sys.modules.keys()))\n"
        "print(json.dumps(done))"
    )
    asked = [
        ["--help"],
        ["profile", "--help"],
        ["hw", "list"],
        ["hw", "show", "loihi"],
        ["hw", "schema"],
        ["price", "counts.csv", "--hw", "45nm"],
        ["plan", "--model", "tiny", "--hw", "45nm", "--seq-len", "8"],
        ["plan", "--model", "someone/uncached", "--hw", "45nm"],
    ]
    run = subprocess.run(
        [sys.executable, "-c", script, json.dumps(asked)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert dict(zip(map(" ".join, asked), json.loads(run.stdout), strict=True)) == {
        " ".join(words): [] for words in asked
    }
    # They did run: the files are there.
    assert (tmp_path / "energy.csv").is_file()
    assert list((tmp_path / "runs").glob("*-tiny/run.json"))


# Exit code 1, models


def test_an_unknown_model_is_one_line_with_the_known_ones(fails: Fails) -> None:
    for verb in ("plan", "profile"):
        said = fails(verb, "--model", "gpt3", "--hw", "45nm", "--out", "out")
        assert said.startswith("model 'gpt3' is not known; give one of gpt2-nano, gpt2-nano-")


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("{", "is cut short or no valid JSON"),
        ("[]", "must hold a JSON object"),
        (
            '{"model_type": "bert"}',
            "is a 'bert', which is no decoder of a known family; `neurt-energy count` counts",
        ),
        ('{"model_type": "llama"}', "'num_attention_heads' (= None) must be an integer >= 1"),
        ('{"model_type": "gpt2", "n_layer": 2, "n_embd": 32}', "'n_head' (= None)"),
        (
            '{"model_type": "gpt2", "n_layer": 2, "n_embd": 32, "n_head": 4, "n_inner": "big"}',
            "'n_inner'",
        ),
    ],
)
def test_a_broken_model_directory_is_one_line(
    fails: Fails, tiny: Path, config: str, says: str
) -> None:
    (tiny / "config.json").write_text(config, encoding="utf-8")
    for verb in ("plan", "profile"):
        assert says in fails(verb, "--model", tiny, "--hw", "45nm", "--out", "out")


def test_broken_weights_are_one_line(fails: Fails, tiny: Path) -> None:
    (tiny / "model.safetensors").write_bytes(b"not at all")
    said = fails("profile", "--model", tiny, "--hw", "45nm", "--seq-len", "8", "--out", "out")
    assert said.startswith(f"weights of '{tiny}' cannot be loaded: ")


def test_a_hub_model_that_is_not_cached_has_no_sizes_to_plan_with(fails: Fails) -> None:
    said = fails("plan", "--model", "someone/some-gpt2", "--hw", "45nm", "--out", "out")
    assert "'someone/some-gpt2'" in said
    assert "give a directory" in said


@pytest.mark.parametrize("verb", ["plan", "profile"])
@pytest.mark.parametrize(
    ("words", "tokens"),
    [
        (["--seq-len", "65"], 65),
        (["--phase", "decode", "--context", "70"], 70),
    ],
    ids=["prefill", "decode"],
)
def test_more_tokens_than_positions_are_one_line(
    fails: Fails, tiny: Path, verb: str, words: list[str], tokens: int
) -> None:
    said = fails(verb, "--model", "tiny", "--hw", "45nm", "--out", "out", *words)
    assert said.startswith(f"{tokens} tokens are more than the 64 positions of 'tiny'")


@pytest.mark.parametrize(
    "words", [["--seq-len", "64"], ["--phase", "decode", "--context", "64"]], ids=" ".join
)
@pytest.mark.usefixtures("sketched")
def test_the_last_position_is_still_allowed(tiny: Path, tmp_path: Path, words: list[str]) -> None:
    assert main(["plan", "--model", "tiny", "--hw", "45nm", "--out", "out", *words]) == 0
    assert (tmp_path / "out" / "run.json").is_file()


def test_an_unreachable_hub_is_one_line_with_a_way_out(tmp_path: Path) -> None:
    run = command(
        "profile",
        "--model",
        "gpt2-small",
        "--hw",
        "45nm",
        "--weights",
        "pretrained",
        "--out",
        "out",
        HF_ENDPOINT="http://127.0.0.1:9",
        HF_HUB_OFFLINE="0",
    )
    assert run.returncode == 1
    assert run.stderr == (
        "neurt-energy: pretrained weights of 'gpt2-small' cannot be had: the hub cannot be "
        "reached (ConnectError); download them elsewhere and give the directory, or use "
        "--weights random\n"
    )
    assert not (tmp_path / "out").exists()


# Exit code 1, hardware


def test_an_unknown_profile_is_one_line_with_the_known_ones(fails: Fails, tmp_path: Path) -> None:
    (tmp_path / "counts.csv").write_text("layer,mac\na,1\n", encoding="utf-8")
    for words in (
        ["plan", "--model", "gpt2-small", "--hw", "90nm"],
        ["profile", "--model", "gpt2-small", "--hw", "90nm"],
        ["price", "counts.csv", "--hw", "90nm"],
        ["hw", "show", "90nm"],
    ):
        said = fails(*words)
        assert said.startswith("hardware profile '90nm' is not known")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("pj = 2.0", "pj = ", "is not valid TOML"),
        ("pj = 2.0", "pj = -2.0", "key 'prices.mac.pj' (= -2.0)"),
        ("pj = 2.0", "pj = nan", "key 'prices.mac.pj' (= nan)"),
        ("pj = 2.0", "pj = inf", "key 'prices.mac.pj' (= inf)"),
        ("pj = 2.0", 'pj = "cheap"', "key 'prices.mac.pj' (= 'cheap')"),
        ("pj = 2.0", "pJ = 2.0", "prices.mac.p"),
        ("pj = 2.0", "pj = 2.0\nprice = 1", "unknown key 'prices.mac.price'"),
        ("title", "headline", "key 'title' is missing"),
        ("[prices.mac]", "[prices.macs]", "prices.macs"),
        ('source = "a bench"\n', "", "key 'prices.mac.source' is missing"),
    ],
)
def test_a_broken_profile_is_one_line_that_names_the_key(
    fails: Fails,
    toml: Callable[[str], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    old: str,
    new: str,
    says: str,
) -> None:
    assert old in PROFILE
    path = toml(PROFILE.replace(old, new))
    (tmp_path / "counts.csv").write_text("layer,mac\na,1\n", encoding="utf-8")
    assert main(["hw", "validate", str(path)]) == 1  # prints every fault: a line each
    printed = capsys.readouterr()
    assert says in printed.out
    assert f"hardware profile '{path}' has " in printed.err
    for words in (
        ["price", "counts.csv", "--hw", path],
        ["plan", "--model", "gpt2-small", "--hw", path, "--out", "out"],
    ):
        said = fails(*words)
        assert f"hardware profile '{path}'" in said
        # "pJ" is an unknown key and leaves "pj" missing: either may be named.
        assert says in said


def test_two_profiles_of_one_name_are_refused(
    fails: Fails, tiny: Path, toml: Callable[[str], Path]
) -> None:
    # The tables and pictures go by this name: one of the two would silently be lost.
    path = toml(PROFILE.replace('name = "mine"', 'name = "45nm"'))
    said = fails("plan", "--model", "tiny", "--seq-len", "8", "--hw", "45nm", "--hw", path)
    assert "'45nm'" in said


@pytest.mark.usefixtures("sketched")
def test_a_profile_given_twice_is_taken_once(tiny: Path, tmp_path: Path) -> None:
    words = ["plan", "--model", "tiny", "--seq-len", "8", "--out", "out"]
    assert main([*words, "--hw", "45nm", "--hw", "loihi", "--hw", "45nm"]) == 0
    assert list(json.loads((tmp_path / "out" / "run.json").read_bytes())["hardware"]) == [
        "45nm",
        "loihi",
    ]


# Exit code 1, texts


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty; give a text of at least one window"),
        (b" \n ", "is empty; give a text of at least one window"),
        (b"K\xe4se", "is not UTF-8 text at byte 1"),
        (
            b"Hello world",
            "the text has 2 tokens, but 2 windows x batch 3 x 8 tokens need 48; give a longer",
        ),
    ],
    ids=["empty", "white space", "latin-1", "short"],
)
def test_a_text_that_cannot_be_used_is_one_line(
    fails: Fails, tiny: Path, tmp_path: Path, content: bytes, says: str
) -> None:
    (tmp_path / "text.txt").write_bytes(content)
    words = ["--seq-len", "8", "--batch", "3", "--windows", "2", "--text", "text.txt"]
    words += ["--weights", "random", "--out", "out"]
    said = fails("profile", "--model", "tiny", "--hw", "45nm", *words)
    assert says in said


def test_a_text_that_is_not_there_is_one_line(fails: Fails, tiny: Path) -> None:
    said = fails("profile", "--model", "tiny", "--hw", "45nm", "--text", "no.txt", "--seq-len", "8")
    assert said == "text 'no.txt' does not exist"


# Exit code 1, output


def test_a_file_where_the_directory_should_be_is_one_line(
    fails: Fails, tiny: Path, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("mine", encoding="utf-8")
    (tmp_path / "counts.csv").write_text("layer,mac\na,1\n", encoding="utf-8")
    for words in (
        ["plan", "--model", "tiny", "--seq-len", "8", "--hw", "45nm"],
        ["profile", "--model", "tiny", "--seq-len", "8", "--hw", "45nm"],
        ["price", "counts.csv", "--hw", "45nm"],
    ):
        for out in ("taken", "taken/deeper"):
            said = fails(*words, "--out", out)
            assert said.startswith(f"output directory '{out}' cannot be written: ")
            assert said.endswith("; choose another --out")
    assert (tmp_path / "taken").read_text(encoding="utf-8") == "mine"


def test_a_directory_where_a_file_should_be_is_one_line(fails: Fails, tmp_path: Path) -> None:
    (tmp_path / "counts.csv").write_text("layer,mac\na,1\n", encoding="utf-8")
    (tmp_path / "energy.csv").mkdir()
    for force in ([], ["--force"]):
        said = fails("price", "counts.csv", "--hw", "45nm", *force)
        assert said == "output 'energy.csv' is a directory, and must be a regular file"


@pytest.mark.usefixtures("sketched")
def test_without_out_the_files_go_below_runs(tiny: Path, tmp_path: Path) -> None:
    assert main(["plan", "--model", "tiny", "--hw", "45nm", "--seq-len", "8"]) == 0
    [directory] = (tmp_path / "runs").iterdir()
    # A date of 8 digits, a time of 6, the name of the model.
    date, time, name = directory.name.split("-")
    assert (len(date), len(time), name) == (8, 6, "tiny")
    assert (directory / "run.json").is_file()


# Exit code 1, counts


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "need the column 'layer'"),
        (b"where,mac\na,1\n", "need the column 'layer'"),
        (b"layer,flops\na,1\n", "need the column 'layer' and at least one of mac, ac,"),
        (b"layer,mac,ac\n", "have a header but no rows"),
        (b"layer,mac,ac\na,1\n", "line 2 has not the 3 columns of the header"),
        (b"layer,mac\na,1,2\n", "line 2 has not the 2 columns of the header"),
        (b"layer,mac\na,1\nb,many\n", "line 3, column 'mac' (= 'many') must be a number"),
        (b"layer,mac\na,nan\n", "line 2, column 'mac' (= 'nan') must be a number"),
        (b"layer,mac\na,-1\n", "line 2, column 'mac' (= '-1') must not be negative"),
        (b"layer,mac\n\xff,1\n", "not UTF-8 text at line 2, byte 10"),
    ],
    ids=[
        "empty",
        "no layer",
        "no operation",
        "no rows",
        "short row",
        "long row",
        "word",
        "nan",
        "negative",
        "latin-1",
    ],
)
def test_a_malformed_table_of_counts_is_one_line(
    fails: Fails, tmp_path: Path, content: bytes, says: str
) -> None:
    (tmp_path / "counts.csv").write_bytes(content)
    said = fails("price", "counts.csv", "--hw", "45nm")
    assert said.startswith("counts 'counts.csv'")
    assert says in said
    assert not (tmp_path / "energy.csv").exists()


def test_a_missing_table_of_counts_is_one_line(fails: Fails) -> None:
    assert fails("price", "no.csv", "--hw", "45nm") == "counts 'no.csv' does not exist"


# Interruption


@pytest.mark.parametrize(
    ("verb", "at"),
    [("profile", (reports.views.terminal, "print_run")), ("plan", (reports.write, "write_views"))],
)
def test_an_interrupt_is_130_and_one_line(
    fails: Fails,
    tiny: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    at: tuple[Any, str],
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(*at, interrupted)
    words = [verb, "--model", "tiny", "--hw", "45nm", "--seq-len", "8", "--out", "out"]
    words += ["--weights", "random"] if verb == "profile" else []
    assert fails(*words, code=130) == "interrupted; files already in place are whole"
    # The tables are there, but not the mark of a whole run.
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert "counts.csv" in names
    assert "run.json" not in names


def test_a_signal_while_measuring_is_130_and_one_line(tiny: Path, tmp_path: Path) -> None:
    # A shell that runs the tests in its background would have them ignore the signal.
    script = (
        "import signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from neurt.cli import main\n"
        "sys.exit(main())"
    )
    words = ["profile", "--model", "tiny", "--hw", "45nm", "--out", "out"]
    # 9,600 tokens in windows of 48 take far longer than the signal.
    size = ["--seq-len", "48", "--windows", "200", "--timesteps", "64", "--weights", "random"]
    with subprocess.Popen(
        [sys.executable, "-c", script, *words, *size],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert "weights=random(seed=0)" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == 130
    assert said == "neurt-energy: interrupted; files already in place are whole\n"
    assert not (tmp_path / "out").exists()


def test_a_reader_that_has_seen_enough_gets_no_traceback() -> None:
    script = "import sys; from neurt.cli import main; sys.exit(main())"
    with subprocess.Popen(
        [sys.executable, "-c", script, "hw", "schema"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert process.returncode in (0, 1)


def test_an_error_that_is_not_ours_keeps_its_traceback(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(reports.views.terminal, "print_run", broken)
    with pytest.raises(ZeroDivisionError):
        main(["plan", "--model", "tiny", "--hw", "45nm", "--seq-len", "8", "--out", "out"])


# price


def test_three_columns_are_enough_for_a_price(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "counts.csv").write_text(
        "layer,mac,ac\nfirst,1000,0\nsecond,10,2000\nthird,0,0\n", encoding="utf-8"
    )
    assert main(["price", "counts.csv", "--hw", "45nm", "--out", "out"]) == 0
    *layers, total = rows(tmp_path / "out" / "energy.csv")
    assert [row["layer"] for row in layers] == ["first", "second", "third"]
    # 1,000 x 4.6; 10 x 4.6 + 2,000 x 0.9; nothing.
    assert [float(row["compute_pj"]) for row in layers] == pytest.approx([4600, 1846, 0])
    # A fetch of 4 bytes at 1.25 pJ each serves 2,048 products.
    fetches = [5 * products / 2048 for products in (1000, 2010, 0)]
    assert [float(row["delivery_pj"]) for row in layers] == pytest.approx(fetches)
    assert total["layer"] == "TOTAL"
    assert float(total["compute_pj"]) == pytest.approx(4.6 * 1010 + 0.9 * 2000)
    assert float(total["energy_pj"]) == pytest.approx(4.6 * 1010 + 0.9 * 2000 + sum(fetches))
    said = capsys.readouterr().out
    [row] = [line.split() for line in said.splitlines() if line.startswith("counts  45nm")]
    # compute, and both bounds: nothing but the fetches, 5 x 3,010 / 2,048 = 7.3 pJ, moves
    energies = ["6.446", "nJ", *2 * ["6.453", "nJ"]]
    assert row[2:] == [*energies, "1,010", "2,000", "100.00", "%"]
    assert "out/energy.csv" in said


def test_each_profile_and_variant_has_its_rows_and_its_total(tmp_path: Path) -> None:
    (tmp_path / "counts.csv").write_text(
        "variant,layer,mac,ac\nasa,a,100,0\nssa,a,0,300\n", encoding="utf-8"
    )
    assert main(["price", "counts.csv", "--hw", "loihi", "--hw", "45nm"]) == 0
    found = rows(tmp_path / "energy.csv")
    assert [(row["hw"], row["variant"], row["layer"]) for row in found] == [
        (hw, variant, layer)
        for hw in ("loihi", "45nm")
        for variant in ("asa", "ssa")
        for layer in ("a", "TOTAL")
    ]
    totals = [row["energy_pj"] for row in found if row["layer"] == "TOTAL"]
    # Loihi has no MAC, so no total; 300 x 23.6; 100 x 4.6 and 300 x 0.9, with fetches.
    fetch = 4 * 1.25 / 2048
    assert totals[0] == ""
    assert [float(total) for total in totals[1:]] == pytest.approx(
        [7080, 460 + 100 * fetch, 270 + 300 * fetch]
    )
    assert found[1]["unpriced"] == "mac"


@pytest.mark.parametrize("hw", ["45nm", "45nm-int8", "loihi"])
@pytest.mark.usefixtures("sketched")
def test_the_price_of_planned_counts_is_the_plan(tiny: Path, tmp_path: Path, hw: str) -> None:
    plan = ["plan", "--model", "tiny", "--hw", hw, "--seq-len", "8", "--out", "planned"]
    assert main(plan) == 0
    assert main(["price", "planned/counts.csv", "--hw", hw, "--out", "priced"]) == 0
    planned = rows(tmp_path / "planned" / "layers.csv")
    priced = rows(tmp_path / "priced" / "energy.csv")
    assert len(planned) > 40
    columns = [name for name in priced[0] if name in planned[0]]
    assert "energy_pj" in columns
    assert [{c: row[c] for c in columns} for row in priced if row["layer"] != "TOTAL"] == [
        {c: row[c] for c in columns} for row in planned
    ]
    for variant in ("asa", "ssa"):
        [total] = [r for r in priced if (r["variant"], r["layer"]) == (variant, "TOTAL")]
        parts = [r["energy_pj"] for r in planned if r["variant"] == variant]
        if "" in parts:  # a part that has no price leaves the whole without one
            assert total["energy_pj"] == ""
        else:
            whole = math.fsum(float(part) for part in parts)
            assert float(total["energy_pj"]) == pytest.approx(whole, rel=1e-12)


# hw


def builtin(name: str) -> Path:
    return Path(str(files("hwmodels.builtin") / f"{name}.toml"))


def test_the_list_names_every_profile(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hw", "list"]) == 0
    said = capsys.readouterr().out
    assert {line.split(" ")[0] for line in said.splitlines()} >= set(BUILTIN)


@pytest.mark.parametrize("name", BUILTIN)
def test_a_builtin_profile_is_shown(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hw", "show", name]) == 0
    said = capsys.readouterr().out
    profile = load_profile(name)
    assert said.startswith(f"{name}: {profile.title}\n")
    assert all(f"- {assumption}" in said for assumption in profile.assumptions)


def test_a_profile_of_ones_own_is_shown_and_valid(
    toml: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = toml(PROFILE)
    assert main(["hw", "validate", str(path)]) == 0
    assert main(["hw", "show", str(path)]) == 0
    assert "mine: A chip of mine\n" in capsys.readouterr().out


@pytest.fixture
def validator(capsys: pytest.CaptureFixture[str]) -> Any:
    import jsonschema

    assert main(["hw", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize(
    "fault",
    [
        {"colour": "blue"},
        {"prices": {"mac": {"pj": 1, "source": "s", "evidence": "measured", "price": 1}}},
        {"prices": {"multiply": {"pj": 1, "source": "s", "evidence": "measured"}}},
        {"prices": {"mac": {"pj": -1, "source": "s", "evidence": "measured"}}},
        {"prices": {"mac": {"pj": 1, "source": "s", "evidence": "guessed"}}},
        {"prices": {"mac": {"pj": 1, "evidence": "measured"}}},
        {"scope": "everything"},
        {"value_bytes": 0},
    ],
    ids=[
        "unknown key",
        "unknown key of a price",
        "unknown operation",
        "negative",
        "unknown evidence",
        "no source",
        "unknown scope",
        "no bytes",
    ],
)
def test_the_schema_rejects_a_fault(validator: Any, fault: dict[str, Any]) -> None:
    profile = tomllib.loads(PROFILE)
    assert validator.is_valid(profile)
    assert not validator.is_valid(profile | fault)


# The installed command


def test_the_installed_command_is_this_one() -> None:
    script = Path(sys.executable).with_name("neurt-energy")
    run = subprocess.run(
        [script, "hw", "show", "90nm"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.startswith("neurt-energy: hardware profile '90nm' is not known")
    assert run.stderr.count("\n") == 1
