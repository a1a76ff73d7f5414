"""Helpers of several tests: tiny models, real text, configurations, and cases as tables."""
