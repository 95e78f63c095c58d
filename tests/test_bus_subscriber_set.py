"""The sets of subscribers that users get: weak sets in which methods stay."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from asyncutils_rx._bus._subscriber_set import SubscriberSet

if TYPE_CHECKING:
    from collections.abc import Callable


def first() -> None: ...


def second() -> None: ...


def third() -> None: ...


class Owner:
    def method(self) -> None: ...


def test_a_subscriber_set_is_a_weak_set_in_order() -> None:
    members: SubscriberSet[Any] = SubscriberSet([second, first, second])
    assert isinstance(members, weakref.WeakSet)
    assert list(members) == [second, first]
    assert len(members) == 2
    assert first in members
    assert third not in members
    assert [] not in members
    assert repr(members) == f"SubscriberSet([{second!r}, {first!r}])"


def test_a_subscriber_set_holds_weakly() -> None:
    def local() -> None: ...

    members: SubscriberSet[Any] = SubscriberSet([local, first])
    del local
    gc.collect()
    assert list(members) == [first]
    assert len(members) == 1


def test_a_method_stays_as_long_as_its_instance_lives() -> None:
    owner = Owner()
    members: SubscriberSet[Any] = SubscriberSet([owner.method])
    gc.collect()
    assert owner.method in members
    assert list(members) == [owner.method]
    del owner
    gc.collect()
    assert list(members) == []
    assert not members


def test_what_cannot_be_held_weakly_is_held_strongly() -> None:
    members: SubscriberSet[Any] = SubscriberSet([list.append, [].append])
    gc.collect()
    assert len(members) == 2


def test_what_was_added_strongly_stays() -> None:
    members: SubscriberSet[Any] = SubscriberSet()
    members.add_strongly(lambda: None)
    gc.collect()
    assert len(members) == len(members.copy()) == 1


def test_adding_and_removing() -> None:
    members: SubscriberSet[Any] = SubscriberSet()
    members.add(first)
    members.update([second, third])
    members.discard(first)
    members.discard(first)
    members.remove(second)
    with pytest.raises(KeyError):
        members.remove(second)
    assert list(members) == [third]
    assert members.pop() is third
    with pytest.raises(KeyError):
        members.pop()
    members.add(first)
    members.clear()
    assert list(members) == []


A, B = [first, second], [second, third]


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (lambda a, b: a | b, {first, second, third}),
        (lambda a, b: a & b, {second}),
        (lambda a, b: a - b, {first}),
        (lambda a, b: a ^ b, {first, third}),
        (lambda a, b: a.union(b), {first, second, third}),
        (lambda a, b: a.intersection(b), {second}),
        (lambda a, b: a.difference(b), {first}),
        (lambda a, b: a.symmetric_difference(b), {first, third}),
    ],
)
def test_operations_give_new_sets(operation: Callable[[Any, Any], Any], expected: set[Any]) -> None:
    a: SubscriberSet[Any] = SubscriberSet(A)
    b: SubscriberSet[Any] = SubscriberSet(B)
    result = operation(a, b)
    assert isinstance(result, SubscriberSet)
    assert set(result) == expected
    assert list(a) == A
    assert list(b) == B


@pytest.mark.parametrize("other", [B, set(B), SubscriberSet(B)])
def test_named_operations_take_any_iterable(other: Any) -> None:
    a: SubscriberSet[Any] = SubscriberSet(A)
    assert set(a.union(other)) == {first, second, third}
    assert set(a.intersection(other)) == {second}
    assert set(a.difference(other)) == {first}
    assert set(a.symmetric_difference(other)) == {first, third}
    assert not a.isdisjoint(other)
    assert not a.issubset(other)
    assert not a.issuperset(other)
    assert SubscriberSet([second]).issubset(other)
    assert SubscriberSet([first, *B]).issuperset(other)


def test_operations_in_place() -> None:
    members: SubscriberSet[Any] = SubscriberSet(A)
    members |= SubscriberSet(B)
    assert set(members) == {first, second, third}
    members &= SubscriberSet(B)
    assert set(members) == {second, third}
    members -= SubscriberSet([third])
    assert set(members) == {second}
    members ^= SubscriberSet(B)
    assert set(members) == {third}
    members.difference_update(members)
    assert not members


def test_comparisons() -> None:
    a: SubscriberSet[Any] = SubscriberSet(A)
    assert a == SubscriberSet(reversed(A))
    assert a == set(A)
    assert a != SubscriberSet(B)
    assert SubscriberSet([first]) <= a
    assert SubscriberSet([first]) < a
    assert a >= SubscriberSet([first])
    assert a > SubscriberSet([first])
    assert a.isdisjoint(SubscriberSet([third]))


def test_copies_are_independent() -> None:
    a: SubscriberSet[Any] = SubscriberSet(A)
    for copied in (a.copy(), copy.copy(a), pickle.loads(pickle.dumps(a))):
        assert copied == a
        copied.clear()
        assert list(a) == A


def test_a_set_can_change_while_it_is_iterated() -> None:
    members: SubscriberSet[Any] = SubscriberSet(A)
    for member in members:
        members.discard(member)
    assert not members
