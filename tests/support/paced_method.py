"""A method from outside of the package whose updates take as long as the environment says, on any machine."""

import os
import time
from dataclasses import replace
from typing import Literal

from mtpeft.methods import bitfit
from mtpeft.methods.base import TrainedMethodOptions, UpdateHook

PACE_VARIABLE = "SECONDS_PER_UPDATE"


class PacedOptions(TrainedMethodOptions):
    """`method: paced`."""

    method: Literal["paced"]


class Pace(UpdateHook):
    def after(self, update: int, updates: int) -> None:
        time.sleep(float(os.environ.get(PACE_VARIABLE, "0")))


PACED = replace(bitfit.BITFIT, options=PacedOptions, hook=lambda model: Pace())
