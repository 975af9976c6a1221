"""Weights that several models of one process stand on: loaded once, and let go in time."""

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING
from weakref import ReferenceType, WeakValueDictionary, ref

if TYPE_CHECKING:
    from evalharness.transformer.model import Transformer


class Bases:
    """The bases of the models of one process, of which one at a time is in memory."""

    def __init__(self) -> None:
        self._known: WeakValueDictionary[Hashable, Base] = WeakValueDictionary()
        self._loaded: ReferenceType[Base] | None = None

    def base(self, key: Hashable, load: Callable[[], "Transformer"]) -> "Base":
        """The base of all models with this key, which must say everything that `load` gives."""
        known = self._known.get(key)
        if known is None:
            known = Base(self, load)
            self._known[key] = known
        return known

    def make_room_for(self, base: "Base") -> None:
        """Let go of the weights that were loaded before."""
        loaded = None if self._loaded is None else self._loaded()
        if loaded is not None and loaded is not base:
            loaded.let_go()
        self._loaded = ref(base)


class Base:
    """A base, which is there as long as a model that stands on it, and its weights as well.

    They are let go earlier where another base is loaded, and loaded again where they are asked for.
    """

    def __init__(self, bases: Bases, load: Callable[[], "Transformer"]) -> None:
        self._bases = bases
        self._load = load
        self._transformer: Transformer | None = None

    def transformer(self) -> "Transformer":
        """The base with its weights, which nobody may change. Raises the errors of loading it."""
        if self._transformer is None:
            self._bases.make_room_for(self)
            self._transformer = self._load()
        return self._transformer

    def let_go(self) -> None:
        self._transformer = None
