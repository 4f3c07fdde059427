"""The colours of all pictures and pages: each has one meaning, and none is written anywhere else.

Slate is the analog model, blue the spiking one, lighter tones of both are what the unfused bound
adds. What a bill is spent on has warm colours and a green, memory being the sands. Components of a
model have hues of their own: purple is attention, teal the feed-forward block. All differ in
lightness, so that grey and each kind of colour blindness tell them apart. No matplotlib.
"""

from __future__ import annotations

#: The analog model, and what the unfused bound adds to it; `--analog` of the page.
ANALOG, ANALOG_PALE = "#8793A5", "#D3D9E1"
#: The spiking model, and what the unfused bound adds to it; `--accent` of the page.
SPIKING, SPIKING_PALE = "#0B5CAD", "#A9CBEC"
#: The analog model that skips zeros.
ZONES = "#C9D1DC"
#: Text and lines without a meaning of their own, from dark to light.
INK, MUTED, QUIET, FAINT, BAND = "#222222", "#666666", "#999999", "#DDDDDD", "#ECECEC"
PAPER = "#FFFFFF"
#: A constant at the lower and at the upper end of its range.
LOW, HIGH = "#D9B3E6", "#7B2D8E"
#: From silence to most spikes.
RATES = ("#FFFFFF", "#A9CBEC", "#0B5CAD", "#052B52")

#: What a bill is spent on.
GROUP_COLOURS = {
    "compute": "#A63C06",
    "scalar": "#F0E442",
    "neuron": "#882255",
    "routing": "#E86FE0",
    "delivery": "#66A61E",
    "memory": "#F2C879",
}
#: Memory by what is stored, all of the same family.
STORED_COLOURS = {
    "weights": GROUP_COLOURS["memory"],
    "kv_cache": "#C98B1B",
    "other_traffic": "#4D4326",
}
#: Leakage and clocks.
STATIC = "#5C5C5C"

#: Components of a model that have MACs, by the hue of their block.
COMPONENT_COLOURS = {
    "qkv": "#54278F",
    "convolution": "#E0D4EC",
    "scan": "#9E7CC1",
    "scores": "#BCA0DC",
    "mix": "#DADAEB",
    "proj": "#807DBA",
    "router": "#003C30",
    "ffn_up": "#01665E",
    "ffn_down": "#80CDC1",
    "projection": "#C7C796",
    "lm_head": "#7A7A2E",
    "score": "#7A7A2E",
    "conv": "#54278F",
    "linear": "#01665E",
    "product": "#BCA0DC",
    "recurrent": "#9E7CC1",
}
