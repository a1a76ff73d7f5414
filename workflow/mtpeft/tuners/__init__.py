"""Tuners that peft lacks on encoder-decoder models; importing this package makes peft know them."""

from mtpeft.tuners.bottleneck import BottleneckConfig, BottleneckModel
from mtpeft.tuners.register import register

register(BottleneckConfig, BottleneckModel)
