"""A context manager that is left by closing it. Knows nothing of what is closed."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class LeftByClosing(ABC):
    """Entering gives the object itself, leaving calls `close`, whether or not there was an error."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Leave."""
