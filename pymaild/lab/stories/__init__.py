"""What people wrote: about a hundred letters, told in five parts."""

from __future__ import annotations

from pymaild.lab.letters import Letter
from pymaild.lab.stories import abroad, boatyard, choir, machines, school


def all_letters() -> tuple[Letter, ...]:
    """Every letter of every story."""
    return school.LETTERS + boatyard.LETTERS + choir.LETTERS + abroad.LETTERS + machines.LETTERS
