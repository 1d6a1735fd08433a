"""What kind of machine a figure was measured on: no names, no paths."""

from __future__ import annotations

import os
import platform
from typing import Any


def machine() -> dict[str, Any]:
    """Describe processor, cores, system, Python and torch."""
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "processor": processor(), "cores": os.cpu_count(), "system": platform.system(), "gpus": gpus,
        "python": platform.python_version(), "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }  # fmt: skip


def processor() -> str:
    """The processor's family, as the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            named = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "")
    except OSError:
        named = ""
    return named or platform.processor() or platform.machine()
