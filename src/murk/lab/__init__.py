"""Runs: one training from votes to its measurements, the tables and folders that keep what goes in and comes out."""

from murk.lab.demo import DemoProgress, DemoRow, DemoRun, run_demo
from murk.lab.mixed import Mixture, mixture
from murk.lab.repeats import mean_over_runs
from murk.lab.result import SCHEMA_VERSION, Predictions, Result, read_result, write_result
from murk.lab.run import Run, RunSettings, run_training
from murk.lab.vote_table import VoteTable, read_votes, write_votes

__all__ = [
    "SCHEMA_VERSION",
    "DemoProgress",
    "DemoRow",
    "DemoRun",
    "Mixture",
    "Predictions",
    "Result",
    "Run",
    "RunSettings",
    "VoteTable",
    "mean_over_runs",
    "mixture",
    "read_result",
    "read_votes",
    "run_demo",
    "run_training",
    "write_result",
    "write_votes",
]
