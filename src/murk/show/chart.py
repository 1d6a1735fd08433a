"""Charts for pages: an Altair chart as the JSON that runs in a browser, and as a still SVG."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from murk.show.text import clean_text

if TYPE_CHECKING:
    import altair

__all__ = ["chart_runtime", "chart_spec", "chart_svg"]

STILL_WIDTH = 660
TEXT = "currentColor"  # so that a chart follows the page from light to dark

LOOK: dict[str, Any] = {
    "font": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif",
    "background": "transparent",
    "view": {"stroke": None},
    "title": {"color": TEXT, "fontSize": 13, "offset": 12},
    "axis": {
        "labelColor": TEXT, "titleColor": TEXT, "tickColor": TEXT, "domainColor": TEXT, "gridColor": TEXT,
        "gridOpacity": 0.12, "domainOpacity": 0.4, "tickOpacity": 0.4, "labelFontSize": 12.5, "titleFontSize": 13,
        "titleFontWeight": "normal", "titlePadding": 10,
    },
    "legend": {"labelColor": TEXT, "titleColor": TEXT, "labelFontSize": 13, "rowPadding": 4, "columnPadding": 36},
    "header": {"labelColor": TEXT, "titleColor": TEXT},
    "text": {"color": TEXT},
}  # fmt: skip


def chart_spec(chart: altair.TopLevelMixin) -> dict[str, Any]:
    """Give a chart's Vega-Lite JSON in the look of murk's pages, its data inside and without any address."""
    spec: dict[str, Any] = _cleaned(chart.to_dict(context={"pre_transform": False}))
    spec.pop("$schema", None)
    spec["config"] = LOOK
    spec.setdefault("autosize", {"type": "fit-x", "contains": "padding"})
    return spec


def chart_svg(spec: dict[str, Any]) -> str:
    """Draw a spec of `chart_spec` as SVG, without a browser; a width that follows its container becomes 660 pixels."""
    import vl_convert

    still = {**spec, "width": STILL_WIDTH} if spec.get("width") == "container" else spec
    svg: str = vl_convert.vegalite_to_svg(json.dumps(still), vl_version=_version(), allowed_base_urls=[])
    return svg


@lru_cache(maxsize=1)
def chart_runtime() -> str:
    """Give the JavaScript of Vega, Vega-Lite and Vega-Embed, as shipped by vl-convert; nothing is fetched."""
    import vl_convert

    expose = "window.vegaEmbed = vegaEmbed;"
    script: str = vl_convert.javascript_bundle(expose, vl_version=_version())
    return script


def _cleaned(value: Any) -> Any:
    """Clean every text in a spec: vl-convert ends the whole process on a control sign."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(key): _cleaned(part) for key, part in value.items()}
    return [_cleaned(part) for part in value] if isinstance(value, list) else value


def _version() -> str:
    """Give the Vega-Lite version that the installed Altair writes, or vl-convert's newest if it knows no such."""
    import altair
    import vl_convert

    wanted = ".".join(altair.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    known: list[str] = vl_convert.get_vegalite_versions()
    return wanted if wanted in known else known[-1]
