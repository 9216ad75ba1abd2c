"""How a worker's process ends when nobody asked it to, and what its exit code says. Knows no Faust and no Kafka."""

import logging
import os
import signal
import threading
import time

CLEAN_STOP_WITHIN_S = 10.0  # guaranteed for SIGTERM, too
FINISHES_WITHIN_S = 6.0  # of these: the micro-batch, what is on its way to the broker, a last checkpoint, its commit
LEAVES_WITHIN_S = CLEAN_STOP_WITHIN_S - FINISHES_WITHIN_S  # Faust needs one; it may hang, then the session times out
EXIT_ENDED_ITSELF = 1
EXIT_TAKEN_OVER = 3  # not the operator's mistake (2): a supervisor may start it again, as a standby

logger = logging.getLogger(__name__)


def end_cleanly() -> None:
    """Stop as on SIGTERM; at once where that hangs."""
    _exit_after(CLEAN_STOP_WITHIN_S, EXIT_ENDED_ITSELF)
    os.kill(os.getpid(), signal.SIGTERM)


def end_soon(code: int) -> None:
    """All that is worth anything is saved and committed: leave the group, or end without."""
    _exit_after(LEAVES_WITHIN_S, code)


def end_unfinished() -> None:
    """End at once: what a clean stop waits for does not come, and nothing is lost by not waiting."""
    logger.critical(
        "a last checkpoint was not complete and committed within %.0f s, probably because the broker does not answer: "
        "ending without; the next start goes on from the newest checkpoint",
        FINISHES_WITHIN_S,
    )
    _end_itself()


def end_taken_over(sentence: str) -> None:
    """Leave without a last checkpoint, commit or update, whichever thread is in the middle of one."""
    logger.critical(sentence)
    os._exit(EXIT_TAKEN_OVER)


def end_stalled(stall: object) -> None:
    """End at once: what is stuck would hold a clean stop up too. A supervisor starts again from the last checkpoint."""
    logger.critical("%s: ending, to be started again from the last checkpoint", stall)
    _end_itself()


def _end_itself() -> None:
    logging.shutdown()
    os._exit(EXIT_ENDED_ITSELF)


def _exit_after(seconds: float, code: int) -> None:
    def wait_and_exit() -> None:
        time.sleep(seconds)
        os._exit(code)

    threading.Thread(target=wait_and_exit, daemon=True).start()
