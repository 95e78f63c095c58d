"""The public types: the wildcard, the snapshot, and that the annotations are real."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any, get_type_hints

import pytest

from asyncutils_rx import types
from asyncutils_rx.types import WILDCARD, StateSnapshot, WildcardType


def test_wildcard_is_the_only_one_of_its_type() -> None:
    assert list(WildcardType) == [WILDCARD]
    with pytest.raises(ValueError, match="is not a valid WildcardType"):
        WildcardType("x")


@pytest.mark.parametrize("text", ["*", "WILDCARD", ""])
def test_wildcard_equals_no_string(text: object) -> None:
    assert text != WILDCARD


def test_wildcard_repr_is_its_name() -> None:
    assert repr(WILDCARD) == "WILDCARD"


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_wildcard_stays_itself(way: Any) -> None:
    assert way(WILDCARD) is WILDCARD


def test_state_snapshot_is_a_tuple_with_names() -> None:
    snapshot = StateSnapshot(1, 2, 3, idle=False)
    assert snapshot == (1, 2, 3, False)
    assert (snapshot.num_getters, snapshot.num_putters, snapshot.num_ops, snapshot.idle) == (1, 2, 3, False)
    assert StateSnapshot._fields == ("num_getters", "num_putters", "num_ops", "idle")


def test_types_all_names_exist() -> None:
    assert [name for name in types.__all__ if not hasattr(types, name)] == []
    assert types.__all__ == sorted(types.__all__, key=lambda name: (not name.isupper(), name))


@pytest.mark.parametrize("protocol", [types.SubscriptionRV, types.DualContextManager, StateSnapshot])
def test_types_annotations_can_be_resolved_at_run_time(protocol: type) -> None:
    for name, function in inspect.getmembers(protocol, inspect.isfunction):
        if function.__module__ == types.__name__ and not name.startswith("_no_init"):
            get_type_hints(function)
    get_type_hints(protocol)
