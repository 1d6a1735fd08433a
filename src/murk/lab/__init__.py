"""Many runs: a run from votes to measurements, studies of them, the store that keeps them, and who computes them."""

from murk.lab.compute import Computed, compute_run
from murk.lab.demo import DemoProgress, DemoRow, DemoRun, run_demo
from murk.lab.driver import StudyProgress, run_study
from murk.lab.executors import Executor, Here, Processes, RayCluster
from murk.lab.mixed import Mixture, mixture
from murk.lab.own_data import own_data
from murk.lab.repeats import mean_difference, mean_over_runs, mean_ratio, student_mean
from murk.lab.resolve import resolve, run_id
from murk.lab.result import SCHEMA_VERSION, Predictions, Result, read_result, write_result
from murk.lab.run import Run, run_training
from murk.lab.run_settings import FOUND, RunSettings
from murk.lab.setting import Setting, read_settings
from murk.lab.store import STATES, Store, StoredRun, StudySummary
from murk.lab.study import Study
from murk.lab.vote_table import VoteTable, read_votes, write_votes

__all__ = [
    "FOUND",
    "SCHEMA_VERSION",
    "STATES",
    "Computed",
    "DemoProgress",
    "DemoRow",
    "DemoRun",
    "Executor",
    "Here",
    "Mixture",
    "Predictions",
    "Processes",
    "RayCluster",
    "Result",
    "Run",
    "RunSettings",
    "Setting",
    "Store",
    "StoredRun",
    "Study",
    "StudyProgress",
    "StudySummary",
    "VoteTable",
    "compute_run",
    "mean_difference",
    "mean_over_runs",
    "mean_ratio",
    "mixture",
    "own_data",
    "read_result",
    "read_settings",
    "read_votes",
    "resolve",
    "run_demo",
    "run_id",
    "run_study",
    "run_training",
    "student_mean",
    "write_result",
    "write_votes",
]
