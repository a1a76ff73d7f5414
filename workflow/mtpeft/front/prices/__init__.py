"""Prices of studies before they are paid: work in closed form, what it costs here and on GPUs, disk and memory."""
