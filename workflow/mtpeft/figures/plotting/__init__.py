"""The parts that figures share: style, panels, labels, legends and lines."""
