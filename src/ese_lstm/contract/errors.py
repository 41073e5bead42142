"""The one exception a user's mistake raises; the command line turns it into exit code 2."""


class EseError(ValueError):
    """A user's input breaks a rule: one sentence naming the field, the rule and the value."""
