"""One line of JSON for each figure: what was measured, beside what, by which command, where."""

import json
import os
import platform
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self


def machine() -> str:
    """The processor's name and how many of its cores there are."""
    names = [line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores"


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


@dataclass(frozen=True)
class Figure:
    """A measurement and its peer's.

    Attributes:
        name: as the README calls it.
        value: ours.
        unit: of `value` and `peer`.
        peer: what was run beside it, `None` where there is nothing to compare with.
        peer_name: what that is.
        command: makes this figure again.
    """

    name: str
    value: float
    unit: str
    command: str
    peer: float | None = None
    peer_name: str = ""
    machine: str = field(default_factory=machine)

    @property
    def ratio(self) -> float | None:
        """Ours to the peer's."""
        return self.value / self.peer if self.peer else None

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self) | {"ratio": self.ratio and round(self.ratio, 3)})

    @classmethod
    def from_json(cls, line: str) -> Self:
        """What `to_json` made."""
        return cls(**{name: value for name, value in json.loads(line).items() if name != "ratio"})


def show(figure: Figure) -> None:
    """Print a figure as it comes."""
    print(figure.to_json(), flush=True)


def say(sentence: str) -> None:
    """Tell people how far it is; figures alone go to stdout."""
    print(sentence, file=sys.stderr, flush=True)
