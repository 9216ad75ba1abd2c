"""What parts of the flow need of the settings."""

from stream.flow.top_items import TopItemsPolicy
from stream.flow.updater import UpdaterPolicy
from stream.settings import Settings
from stream.users.admission import AdmissionPolicy
from stream.users.interests import EmissionPolicy
from stream.users.values import ValuePolicy


def updater_policy(settings: Settings) -> UpdaterPolicy:
    """The updater's slice of the settings."""
    return UpdaterPolicy(
        window_size=settings.window_size,
        encoder_window=settings.encoder_window,
        max_users=settings.max_users,
        max_erasures=settings.max_erasures,
        admission=admission_policy(settings),
        emission=EmissionPolicy(settings.long_term_ms, settings.update_min_distance),
        is_learning=settings.learning,
        top_items=top_items_policy(settings),
        values=ValuePolicy(settings.value_outlier_deviations, settings.value_quantiles),
        value_filter=settings.value_filter,
    )


def top_items_policy(settings: Settings) -> TopItemsPolicy:
    """What recommendations are like unless a caller wants them otherwise."""
    return TopItemsPolicy(settings.top_items, settings.top_items_leave_out, settings.top_items_diversity)


def admission_policy(settings: Settings) -> AdmissionPolicy:
    """What agents and updater must agree on."""
    return AdmissionPolicy(settings.allowed_lateness_ms, settings.max_future_ms, settings.max_events_per_minute)
