"""The colours of all our HTML pages, light and dark, as CSS variables; no page has others."""

from __future__ import annotations

from reports.kit.palette import ANALOG, SPIKING

#: Ground, text and lines; what is analog and spiking; what costs more; a warning; the focus.
LIGHT = {
    "ground": "#FFFFFF",
    "raised": "#F6F7F9",
    "ink": "#1B2330",
    "muted": "#5A6576",
    "line": "#E3E7ED",
    "strong-line": "#7D8796",
    "accent": SPIKING,
    "accent-soft": "#E3EEFA",
    "second": "#8A4B00",
    "worse": "#A8331B",
    "warn": "#FFF3D6",
    "warn-ink": "#5B4300",
    "analog": ANALOG,
    "good": "#1A8F5A",
    "focus": "#0B5CAD",
}
DARK = {
    "ground": "#12161D",
    "raised": "#1A202A",
    "ink": "#E4E8EF",
    "muted": "#A2ADBD",
    "line": "#2A323F",
    "strong-line": "#7A869A",
    "accent": "#7DB8F5",
    "accent-soft": "#1B3250",
    "second": "#F0B266",
    "worse": "#FF9A80",
    "warn": "#3A2F12",
    "warn-ink": "#F3DDA0",
    "analog": "#8793A5",
    "good": "#3FC98A",
    "focus": "#7DB8F5",
}


def theme_css() -> str:
    """The variables of both themes: that of the system, unless `data-theme` of the root says one.

    Paper is light. Who asks for more contrast gets lines and small text in the colour of text.
    """
    light, dark = _variables(LIGHT, "light"), _variables(DARK, "dark")
    return (
        f":root {{ {light} }}\n"
        f"@media screen and (prefers-color-scheme: dark) "
        f'{{ :root:not([data-theme="light"]) {{ {dark} }} }}\n'
        f'@media screen {{ :root[data-theme="dark"] {{ {dark} }} }}\n'
        "@media (prefers-contrast: more) { :root:root:root { --muted: var(--ink); "
        "--line: var(--ink); --strong-line: var(--ink); --accent-soft: var(--ground); "
        "--raised: var(--ground); } }\n"
    )


def _variables(colours: dict[str, str], scheme: str) -> str:
    names = " ".join(f"--{name}: {colour};" for name, colour in colours.items())
    return f"{names} color-scheme: {scheme};"
