"""Pictures and pages: figures, and the one page builder."""

from murk.show.accuracy_by_alpha import chart_accuracy_by_alpha, draw_accuracy_by_alpha
from murk.show.blocks import Block, Column, Download, Facts, Figure, Picture, Prose, Table
from murk.show.contact_sheet import draw_contact_sheet, write_contact_sheet
from murk.show.demo import DemoResult, demo_page, write_demo
from murk.show.page import Page
from murk.show.palette import OKABE_ITO, SERIES, Series, series_of

__all__ = [
    "OKABE_ITO",
    "SERIES",
    "Block",
    "Column",
    "DemoResult",
    "Download",
    "Facts",
    "Figure",
    "Page",
    "Picture",
    "Prose",
    "Series",
    "Table",
    "chart_accuracy_by_alpha",
    "demo_page",
    "draw_accuracy_by_alpha",
    "draw_contact_sheet",
    "series_of",
    "write_contact_sheet",
    "write_demo",
]
