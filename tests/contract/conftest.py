"""Has the shared parts of the contract tell what did not hold, as test files do."""

import pytest

pytest.register_assert_rewrite(
    "tests.contract.settings", "tests.contract.suite", "tests.contract.terms", "tests.contract.world"
)
