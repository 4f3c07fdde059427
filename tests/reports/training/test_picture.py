from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from reports.kit.style import save
from reports.training.metrics import MetricsRow
from reports.training.picture import training_picture


def rows(stage: str, losses: list[float], **scalars: float) -> list[MetricsRow]:
    return [
        MetricsRow(step, stage, 100 * step, {"loss": loss} | scalars, 1.0, 1e-3, 500.0)
        for step, loss in enumerate(losses, 1)
    ]


def lines(figure: Figure, panel: int = 0) -> list[list[tuple[float, float]]]:
    return [
        list(zip(line.get_xdata(), line.get_ydata(), strict=True))  # type: ignore[arg-type]
        for line in figure.axes[panel].lines
    ]


def test_loss_stands_against_tokens_raw_and_smooth() -> None:
    figure = training_picture(rows("pretrain", [4.0, 2.0, 3.0]), "nano")
    assert len(figure.axes) == 1
    raw, smooth = lines(figure)
    assert raw == [(100, 4.0), (200, 2.0), (300, 3.0)]
    assert smooth == raw  # of three steps nothing is smoothed
    assert figure.axes[0].get_ylabel() == "loss"
    assert figure.axes[0].get_xlabel() == "tokens"
    [legend] = figure.subfigs[0].legends
    assert figure.get_suptitle() == "Loss 4.000 to 3.000"
    assert [text.get_text() for text in legend.get_texts()] == ["each step", "smoothed"]


def test_the_smooth_line_is_a_mean_of_neighbours() -> None:
    figure = training_picture(rows("pretrain", [float(i % 3) for i in range(200)]), "nano")
    smooth = [value for _, value in lines(figure)[1]]
    # 1 % of 200 steps is 2 on either side: 0 1 2 | 0 1 2 0 | 0 1 2 0 1, and 2 0 1 at the end.
    assert smooth[:3] == [1.0, 0.75, 0.8]
    assert smooth[-1] == 1.0


def test_stages_stand_side_by_side_and_are_named() -> None:
    figure = training_picture(rows("layers", [0.4, 0.3]) + rows("logits", [2.0, 1.0]), "nano")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["layers", "logits"]
    assert lines(figure)[0] == [(100, 0.4), (200, 0.3)]
    assert lines(figure, 1)[0] == [(100, 2.0), (200, 1.0)]
    # Their losses are different quantities: neither axis has room for the other.
    assert figure.axes[0].get_ylim()[1] < 1
    assert figure.axes[1].get_ylim()[0] > 0.5
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", ""]
    assert [axes.get_xlabel() for axes in figure.axes] == ["tokens", "tokens"]
    assert len(figure.subfigs[0].legends) == 1
    assert (
        figure.get_suptitle()
        == "Stage layers: loss 0.400 to 0.300; Stage logits: loss 2.000 to 1.000"
    )


def test_spikes_have_panels_of_their_own() -> None:
    figure = training_picture(
        rows("a", [2.0, 1.0]) + rows("b", [2.0, 1.0], events_per_mac=0.5, spike_rate=0.1, kl=1.0),
        "nano",
    )
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert labels == ["loss", "", "", "spikes per slot", "", "events per MAC"]
    assert lines(figure, 3)[0] == [(100, 0.1), (200, 0.1)]
    # The first stage has no spikes: no empty axes, and its tokens stand below its loss.
    assert [axes.get_visible() for axes in figure.axes] == [True, True, False, True, False, True]
    assert [axes.get_xlabel() for axes in figure.axes] == ["tokens", "", "", "", "", "tokens"]


def test_the_title_may_hold_a_dollar_and_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        figure = training_picture(rows("pretrain", [4.0, 2.0]), "my $model$")
        save(figure, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert "my $model$" in (tmp_path / "a.svg").read_text(encoding="utf-8")
