"""How log lines look: for people, or one JSON object a line. Knows nothing of what is logged.

What belongs to a line beside its sentence (partition, offsets) is in `extra`; ids and queries are not, see `log_ids`.
"""

import logging
import logging.config
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec

from stream.settings import Settings

TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_EVERY_LINE_HAS = logging.LogRecord("", 0, "", 0, "", (), None).__dict__.keys() | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, app, message, what is in `extra`, and a traceback if there is one.

    Args:
        app: the consumer group.
    """

    def __init__(self, app: str) -> None:
        super().__init__()
        self._app = app

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "app": self._app,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in record.__dict__.items() if name not in _EVERY_LINE_HAS}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


def log_config(settings: Settings) -> dict[str, Any]:
    """For `logging.config.dictConfig`: our own lines at `log_level` on stderr, of libraries only warnings.

    Libraries say more only where everything is asked for.
    """
    level = settings.log_level.upper()
    text = {"format": TEXT}
    json = {"()": JsonLines, "app": settings.app_id}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": json if settings.log_format == "json" else text},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "stream": sys.stderr, "formatter": "line"}},
        "loggers": {name: {"level": level} for name in ("stream", "checkpoints")},
        "root": {"level": level if level in ("DEBUG", "ERROR") else "WARNING", "handlers": ["stderr"]},
    }


def set_up(settings: Settings) -> None:
    """Let this process log as its settings say."""
    logging.config.dictConfig(log_config(settings))
    logging.captureWarnings(True)
