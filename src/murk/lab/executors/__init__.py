"""How many jobs are computed: one after another here, by processes of this machine, or by a Ray cluster."""

from murk.lab.executors.executor import Ended, Executor, Job
from murk.lab.executors.here import Here
from murk.lab.executors.processes import Processes, processes_here
from murk.lab.executors.ray_cluster import RayCluster

__all__ = ["Ended", "Executor", "Here", "Job", "Processes", "RayCluster", "processes_here"]
