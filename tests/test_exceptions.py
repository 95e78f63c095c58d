"""The family of errors: their tree, their sentences, and that they travel."""

from __future__ import annotations

import builtins
import copy
import inspect
import pickle
import re
import threading
from typing import Any

import pytest

from asyncutils_rx import exceptions
from asyncutils_rx.exceptions import (
    AlreadyEnteredError,
    ArgumentError,
    ArgumentTypeError,
    ArgumentValueError,
    AsyncutilsRxError,
    BusPublishingError,
    BusShutDown,
    BusStatsError,
    BusTimeout,
    ClosedError,
    LifecycleError,
    LoopError,
    MissingExtraError,
    NoLoopError,
    NotSubscribedError,
    ObservableClosed,
    ObservableTimeout,
    OperationTimeout,
    OverflowPolicyError,
    ReentrancyError,
    RendezvousTimeout,
    SubscriptionLostError,
    WrongLoopError,
)

# One of each, with the built-in that it is beside its place in the family, and what its sentence has to name.
SAMPLES: list[tuple[AsyncutilsRxError, type[BaseException], list[str]]] = [
    (AsyncutilsRxError("something"), Exception, ["something"]),
    (ArgumentError("Call", "n", 0, "at least 1"), Exception, ["Call", "n must be at least 1", "not 0"]),
    (ArgumentTypeError("Call", "f", 3, "callable"), TypeError, ["Call", "f must be callable", "not 3"]),
    (ArgumentValueError("Call", "n", -2, "positive"), ValueError, ["Call", "n must be positive", "not -2"]),
    (LifecycleError("<Bus>", "do this"), RuntimeError, ["<Bus>: do this"]),
    (AlreadyEnteredError("<Bus>", "do this"), RuntimeError, ["<Bus>: do this"]),
    (ClosedError("<Bus>", "do this"), RuntimeError, ["<Bus>: do this"]),
    (ObservableClosed("<Bus>", "do this"), RuntimeError, ["<Bus>: do this"]),
    (BusShutDown("<Bus>", "do this"), RuntimeError, ["<Bus>: do this"]),
    (LoopError("<Bus>", "do this"), RuntimeError, ["<Bus>: do this"]),
    (NoLoopError("<Bus>", "do this"), RuntimeError, ["<Bus>: do this"]),
    (WrongLoopError("<Bus>", "do this"), RuntimeError, ["<Bus>: do this"]),
    (ReentrancyError("<Bus>", "do this"), RuntimeError, ["<Bus>: do this"]),
    (NotSubscribedError("<Bus>", len), LookupError, ["<Bus>", "built-in function len", "strict=False"]),
    (SubscriptionLostError("<Bus>", "the next"), RuntimeError, ["<Bus>", "the next"]),
    (OperationTimeout("<Bus>", "waiting", 1.5), TimeoutError, ["<Bus>: waiting", "1.5 s"]),
    (ObservableTimeout("<Bus>", "waiting", 1.5), TimeoutError, ["<Bus>: waiting", "1.5 s"]),
    (BusTimeout("<Bus>", "waiting", 1.5), TimeoutError, ["<Bus>: waiting", "1.5 s"]),
    (RendezvousTimeout("<Bus>", "waiting", 1.5), TimeoutError, ["<Bus>: waiting", "1.5 s"]),
    (OverflowPolicyError("<Stream>", 7), RuntimeError, ["<Stream>", "7 items", "'raise'", "maxsize"]),
    (BusPublishingError("<Bus>", "news", "<upper>"), RuntimeError, ["<Bus>", "'news'", "<upper>", "cause"]),
    (BusStatsError("<Bus>"), RuntimeError, ["<Bus>", "start_tracking()", "tracking_stats=True", "preserve_stats=True"]),
    (MissingExtraError("The view", "view"), ImportError, ["The view", "asyncutils-rx[view]"]),
]
by_name = pytest.mark.parametrize(
    ("error", "builtin", "words"), SAMPLES, ids=[type(error).__name__ for error, _, _ in SAMPLES]
)


def test_samples_and_all_name_every_error() -> None:
    defined = [
        name
        for name, value in vars(exceptions).items()
        if inspect.isclass(value) and issubclass(value, BaseException) and not hasattr(builtins, name)
    ]
    assert sorted(defined) == exceptions.__all__ == sorted(type(error).__name__ for error, _, _ in SAMPLES)


def test_module_docstring_draws_every_error() -> None:
    drawn = re.findall(r"(?:── |^    )(\w+)", exceptions.__doc__ or "", re.MULTILINE)
    assert sorted(drawn) == exceptions.__all__


def test_module_docstring_draws_the_tree_as_it_is() -> None:
    path: list[str] = []
    for depth, name, builtin in drawn_tree():
        error = getattr(exceptions, name)
        del path[depth:]
        if path:
            assert getattr(exceptions, path[-1]) in error.__bases__
        if builtin:
            assert getattr(builtins, builtin) in error.__bases__
        path.append(name)


def drawn_tree() -> list[tuple[int, str, str]]:
    lines = re.findall(r"^    ([│├└─ ]*)(\w+)(?: \((\w+)\))?", exceptions.__doc__ or "", re.MULTILINE)
    return [(len(indent) // 4, name, builtin) for indent, name, builtin in lines]


@by_name
def test_error_is_of_the_family_and_of_the_builtin(
    error: AsyncutilsRxError, builtin: type[BaseException], words: list[str]
) -> None:
    assert isinstance(error, AsyncutilsRxError)
    assert isinstance(error, builtin)


@by_name
def test_error_sentence_names_what_it_is_about(
    error: AsyncutilsRxError, builtin: type[BaseException], words: list[str]
) -> None:
    for word in words:
        assert word in str(error)


@by_name
@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_error_survives_copying_and_pickling(
    error: AsyncutilsRxError, builtin: type[BaseException], words: list[str], way: Any
) -> None:
    again = way(error)
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again).keys() == vars(error).keys()


@by_name
def test_error_copy_holds_the_very_fields(
    error: AsyncutilsRxError, builtin: type[BaseException], words: list[str]
) -> None:
    again = copy.copy(error)
    assert vars(again) == vars(error)
    assert again.args == error.args


def test_operation_timeout_is_no_error_of_the_system() -> None:
    error = BusTimeout("<Bus>", "publish", 2)
    assert (error.errno, error.strerror, error.filename) == (None, None, None)


@by_name
def test_error_keeps_its_fields_in_args(
    error: AsyncutilsRxError, builtin: type[BaseException], words: list[str]
) -> None:
    assert list(vars(error).values()) == (list(error.args) if vars(error) else [])


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_error_pickles_with_every_protocol(protocol: int) -> None:
    for error, _, _ in SAMPLES:
        assert str(pickle.loads(pickle.dumps(error, protocol))) == str(error)


def test_argument_error_with_a_value_that_cannot_be_pickled_is_pickled_as_its_repr() -> None:
    value = threading.Lock()
    again = pickle.loads(pickle.dumps(ArgumentTypeError("Call", "f", value, "hashable")))
    assert again.value == repr(value)


def test_not_subscribed_error_is_pickled_with_the_repr_of_its_observer() -> None:
    again = pickle.loads(pickle.dumps(NotSubscribedError("<Bus>", print)))
    assert again.observer == repr(print)


def test_error_keeps_what_is_attached_to_it_when_pickled() -> None:
    error = ArgumentValueError("Call", "n", 0, "at least 1")
    error.add_note("seen at night")
    assert pickle.loads(pickle.dumps(error)).__notes__ == ["seen at night"]
    lost = NotSubscribedError("<Bus>", print)
    lost.add_note("seen at day")
    assert copy.copy(lost).__notes__ == ["seen at day"]


def test_error_sentence_shortens_a_long_value() -> None:
    sentence = str(ArgumentValueError("Call", "topic", "x" * 5000, "short"))
    assert len(sentence) < 200
    assert sentence.endswith("…")


def test_error_sentence_survives_a_repr_that_raises() -> None:
    class Bad:
        def __repr__(self) -> str:
            raise LookupError("no repr")

    assert "Bad object at" in str(ArgumentTypeError("Call", "f", Bad(), "callable"))


def test_error_sentence_lets_an_interrupt_through() -> None:
    class Bad:
        def __repr__(self) -> str:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        str(ArgumentTypeError("Call", "f", Bad(), "callable"))


@pytest.mark.parametrize("error", [ClosedError, ReentrancyError, OperationTimeout])
def test_family_is_not_caught_by_an_unrelated_member(error: type[AsyncutilsRxError]) -> None:
    others = {ArgumentError, BusPublishingError, BusStatsError, OverflowPolicyError, SubscriptionLostError}
    assert not issubclass(error, tuple(others))
