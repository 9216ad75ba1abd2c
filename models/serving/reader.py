"""What the model says of windows and items by one state of its weights. Changes nothing."""

from collections.abc import Callable

import numpy as np

from models.config import ModelConfig
from models.counting.memory import CountingMemory
from models.device.device import Device
from models.device.weights import Weights
from models.inputs.features import WindowBatch
from models.items.vocabulary import ItemVocabulary
from models.mixture.recommend import Recommendations, RecommendPolicy
from models.reports import PopularItems, Reading
from models.serving.ranker import Ranker
from models.serving.recommender import Recommender


class Reader:
    """Reads what a learner knows.

    Args:
        config: the settings.
        device: has the weights.
        weights: which of them are read.
        memory: the counts of now.
        items: the items of now.

    Attributes:
        config: the settings.
        items: item ids and their slots.
        ranker: ranks what is expected next.
    """

    def __init__(
        self,
        config: ModelConfig,
        device: Device,
        weights: Callable[[], Weights],
        memory: CountingMemory,
        items: ItemVocabulary,
    ) -> None:
        self.config, self.items = config, items
        self._device, self._weights, self._memory = device, weights, memory
        self.ranker = Ranker(device, weights, memory, items)
        self._recommender = Recommender(device, weights, memory, items)

    @property
    def model_step(self) -> int:
        """Gradient steps behind what it says, replay included."""
        return self._weights().step

    def encode(self, windows: WindowBatch) -> np.ndarray:
        """Interests of users by their windows after the newest event: `[windows, dim]` float32, see `read`."""
        return self.read(windows).interests

    def read(self, windows: WindowBatch) -> Reading:
        """Interests of users by their windows after the newest event, and how uncertain they are.

        A row does not depend on the others, except that the padded size of the call may change its last bit.
        """
        return self.begin_reading(windows)()

    def begin_reading(self, windows: WindowBatch) -> Callable[[], Reading]:
        """As `read`, by the weights of now, whatever is learned until the returned function is called, which waits."""
        encoded = self._device.encode(windows.newest(self.config.encoder_window), self._weights())

        def reading() -> Reading:
            interests, uncertainties = encoded()
            return Reading(interests, uncertainties if self.config.head == "variational" else None)

        return reading

    def item_vectors(self, slots: np.ndarray) -> np.ndarray:
        """What interests are compared with: `[items, dim]` float32 of unit length, for `slots` `[items]` int32."""
        return self._device.item_vectors(slots.astype(np.int32), self._weights())

    def popular_items(self, num_items: int) -> PopularItems:
        """The items with the most recent events, most popular first; at most `num_items`."""
        share = self._memory.popularity(slice(self.items.first, self.items.end))
        best = np.argsort(-share, kind="stable")[:num_items]
        best = best[share[best] > 0]
        return PopularItems((best + self.items.first).astype(np.int32), share[best])

    def recommend(self, windows: WindowBatch, left_out: np.ndarray, policy: RecommendPolicy) -> Recommendations:
        """The items that the whole model expects most after windows.

        Args:
            windows: users' windows after their newest event; an empty one gets what is popular.
            left_out: `[windows, n]` int32 item slots that are not wanted, 0 for none.
            policy: how many, and how diverse.
        """
        return self._recommender.recommend(windows.newest(self.config.encoder_window), left_out, policy)
