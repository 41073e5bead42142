"""Fixtures of every test."""

import os
import random

import pytest


@pytest.fixture
def seed() -> int:
    """Seed of a random test: ESE_SEED, or a new one; printed, so that a failure shows it."""
    value = int(os.environ.get("ESE_SEED") or random.SystemRandom().getrandbits(31))
    print(f"seed: ESE_SEED={value}")
    return value
