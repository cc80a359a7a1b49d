"""What every broker adapter promises, written against the seam alone. A new adapter subclasses it and brings its own words."""

from tests.contract.figures import FiguresContract
from tests.contract.letters import LettersContract
from tests.contract.objects import ObjectsContract
from tests.contract.settings import SettingsContract


class BrokerContract(SettingsContract, ObjectsContract, FiguresContract, LettersContract):
    """Subclasses bring a `world` fixture, the broker's words, and what it lacks: its `expects`."""
