"""What the figures are compared with. Some need environments of their own: `make peers`."""

from pathlib import Path

FOLDER = Path("tests/benchmark/peers")
LEARNING_PYTHON = Path(".peers/learning/bin/python")
RECOMMENDERS_PYTHON = Path(".peers/recommenders/bin/python")
QUIXSTREAMS_PYTHON = Path(".peers/quixstreams/bin/python")


def require(python: Path) -> None:
    """Say what to do where a peer is not installed."""
    if not python.exists():
        raise SystemExit(f"{python} is not there; `make peers` installs it")
