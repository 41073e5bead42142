"""What a user's mistake raises, which the command line turns into exit code 2, and what a failed
simulation raises: exit code 1."""


class EseError(ValueError):
    """A user's input breaks a rule: one sentence naming the field, the rule and the value."""


class SimulationError(RuntimeError):
    """The testbench failed or the simulator could not be built; carries the end of the log."""
