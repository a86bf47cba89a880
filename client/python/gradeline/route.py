"""Which of several servers to call: the configured target, or the owner of an experiment. Calls nothing itself."""

from typing import Set

from gradeline.errors import GradelineError


class Route:
    """Where to call next is `address`. Not thread-safe.

    Servers over one database answer alike, but an experiment has one owner; the others end calls that need it with
    NOT_OWNER and its address. While a dead owner has no successor, target and owner are called in turn.
    """

    def __init__(self, target: str) -> None:
        self.target = self.address = target
        self._told = ""  # the owner, as the last NOT_OWNER said
        self._followed: Set[str] = set()  # since the target was called

    def reached(self) -> None:
        """The call was taken; if by the target, it is the owner itself."""
        if self.address == self.target:
            self._told = ""

    def failed(self, error: GradelineError) -> bool:
        """Chooses the next address. True: the error names an owner that was not called yet; it may be at once."""
        told = error.metadata.get("address", "") if error.reason == "NOT_OWNER" else ""
        if told and told not in self._followed:
            self._followed.add(told)
            self._told = self.address = told
            return True
        if self._told not in ("", self.target) and self.address == self.target:
            self.address = self._told
        else:
            self.address = self.target
            self._followed.clear()
        return False
