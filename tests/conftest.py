"""What every test gets: hypothesis that finds the same examples each time, and no deadline on a busy machine."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("pymaild", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("pymaild")
