"""The error of commands."""


class CommandError(Exception):
    """A command cannot go on; the message says why and is all that a person needs."""
