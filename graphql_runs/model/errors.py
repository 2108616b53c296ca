"""Every error a caller can meet, as one small tree.

    RunsError                   code
    ├─ InvalidInput             BAD_USER_INPUT       the caller's data is wrong; `field` names where
    ├─ NotFound                 NOT_FOUND            no such workspace, run, metric, file
    ├─ AlreadyExists            ALREADY_EXISTS       same identity, different content
    ├─ SequenceGap              SEQUENCE_GAP         a writer skipped a batch; `expected` says which is next
    ├─ SequenceConflict         SEQUENCE_CONFLICT    a writer repeated its last number with other content
    ├─ LimitExceeded            LIMIT_EXCEEDED       a documented limit; `field` names what was too large
    ├─ Conflict                 CONFLICT             somebody else wrote first; read again and retry
    └─ StoreUnavailable         STORE_UNAVAILABLE    the store cannot answer now; nothing was acknowledged

Errors outside this tree are bugs: the server masks them with an id that its log has.
"""

from __future__ import annotations

from collections.abc import Mapping


class RunsError(Exception):
    """Base of all errors that are meant for the caller. `code` is stable; the message is for people."""

    code = "INTERNAL"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field

    @property
    def extensions(self) -> Mapping[str, object]:
        """What GraphQL clients read in `errors[].extensions`."""
        found: dict[str, object] = {"code": self.code}
        if self.field is not None:
            found["field"] = self.field
        return found


class InvalidInput(RunsError):
    """The caller's data breaks a rule; `field` names the argument or the place in it."""

    code = "BAD_USER_INPUT"


class InvalidText(InvalidInput):
    """A text breaks the rules of its language; line and column count from 1 and say where."""

    def __init__(self, message: str, *, line: int, column: int, field: str | None = None) -> None:
        super().__init__(message, field=field)
        self.line = line
        self.column = column

    @property
    def extensions(self) -> Mapping[str, object]:
        return {**super().extensions, "line": self.line, "column": self.column}


class NotFound(RunsError):
    """Nothing has that id or name."""

    code = "NOT_FOUND"


class AlreadyExists(RunsError):
    """Something with that identity exists and its content differs."""

    code = "ALREADY_EXISTS"


class SequenceGap(RunsError):
    """A writer's number is beyond the next one; `expected` is the number to send."""

    code = "SEQUENCE_GAP"

    def __init__(self, message: str, *, expected: int, field: str | None = "sequence") -> None:
        super().__init__(message, field=field)
        self.expected = expected

    @property
    def extensions(self) -> Mapping[str, object]:
        return {**super().extensions, "expected": self.expected}


class SequenceConflict(RunsError):
    """A writer repeated its last number with a different content."""

    code = "SEQUENCE_CONFLICT"


class LimitExceeded(RunsError):
    """A documented limit was passed; nothing was written."""

    code = "LIMIT_EXCEEDED"


class Conflict(RunsError):
    """A precondition failed because somebody else wrote first; reading again and retrying is safe."""

    code = "CONFLICT"


class StoreUnavailable(RunsError):
    """The store cannot answer now. Nothing of the failed call was acknowledged; retry it with the same sequence."""

    code = "STORE_UNAVAILABLE"
