"""Pictures and pages: figures, and the one page builder."""

from murk.show.accuracy_by_alpha import chart_accuracy_by_alpha, draw_accuracy_by_alpha
from murk.show.audit import Suspect, audit_page, check_page
from murk.show.blocks import Block, Column, Download, Facts, Figure, Gallery, Picture, Prose, Table, Tile
from murk.show.contact_sheet import draw_contact_sheet, write_contact_sheet
from murk.show.demo import DemoResult, demo_page, write_demo
from murk.show.gallery import ClaimRow, GalleryEntry, gallery_markdown, gallery_page, sections_markdown
from murk.show.heat_map import HeatMap, draw_heat_map, heat_map_csv, heat_map_markdown, heat_map_svg
from murk.show.neighbours import draw_neighbours
from murk.show.page import Page
from murk.show.palette import OKABE_ITO, SERIES, STUDY_SERIES, Series, series_of
from murk.show.panels import Mark, Panels, draw_panels, panels_csv, panels_png, panels_svg
from murk.show.plan import plan_page
from murk.show.reliability import reliability_svg
from murk.show.thumbnail import draw_thumbnail, thumbnail_png

__all__ = [
    "OKABE_ITO",
    "SERIES",
    "STUDY_SERIES",
    "Block",
    "ClaimRow",
    "Column",
    "DemoResult",
    "Download",
    "Facts",
    "Figure",
    "Gallery",
    "GalleryEntry",
    "HeatMap",
    "Mark",
    "Page",
    "Panels",
    "Picture",
    "Prose",
    "Series",
    "Suspect",
    "Table",
    "Tile",
    "audit_page",
    "chart_accuracy_by_alpha",
    "check_page",
    "demo_page",
    "draw_accuracy_by_alpha",
    "draw_contact_sheet",
    "draw_heat_map",
    "draw_neighbours",
    "draw_panels",
    "draw_thumbnail",
    "gallery_markdown",
    "gallery_page",
    "heat_map_csv",
    "heat_map_markdown",
    "heat_map_svg",
    "panels_csv",
    "panels_png",
    "panels_svg",
    "plan_page",
    "reliability_svg",
    "sections_markdown",
    "series_of",
    "thumbnail_png",
    "write_contact_sheet",
    "write_demo",
]
