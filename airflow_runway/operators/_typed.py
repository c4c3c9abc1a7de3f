"""How named arguments become the fields of a request body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_runway.exceptions import RunwayConfigurationError
from airflow_runway.operators._submit import RunwaySubmitOperator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def as_given(value: Any) -> Any:
    """Text, lists and objects travel as they are."""
    return value


def whole_number(value: Any) -> Any:
    """A whole number, also where a template made text of it."""
    return int(value) if isinstance(value, str) else value


def number(value: Any) -> Any:
    """A number, also where a template made text of it."""
    return float(value) if isinstance(value, str) else value


def flag(value: Any) -> Any:
    """True or false, also where a template made text of it."""
    if not isinstance(value, str):
        return value
    words = {"true": True, "false": False}
    if value.strip().lower() not in words:
        raise ValueError(value)
    return words[value.strip().lower()]


@dataclass(frozen=True, slots=True)
class Field:
    """Where an argument goes in the body."""

    #: The API's own name; a dot leads into an object.
    wire: str
    kind: Callable[[Any], Any] = as_given


class TypedSubmitOperator(RunwaySubmitOperator):
    """A :class:`RunwaySubmitOperator` whose route is fixed and whose fields are arguments.

    Only arguments that are not ``None`` are sent. Model names, ratios and limits change every week: the
    gateway judges them, and its complaint is shown field by field. All fields are templates.

    :param extra_body: further fields, with the API's own names.
    """

    #: The route of the class.
    fixed_route: ClassVar[str]
    #: Argument → place in the body.
    fields: ClassVar[Mapping[str, Field]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.template_fields = (*cls.fields, *RunwaySubmitOperator.template_fields)

    def __init__(self, *, extra_body: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(route=self.fixed_route, payload=extra_body or {}, **kwargs)
        if extra_body is None:
            # An empty one says nothing in the list of rendered templates.
            self.template_fields = tuple(name for name in self.template_fields if name != "payload")

    def body(self) -> dict[str, Any]:
        """The JSON body, from the rendered arguments.

        :raises RunwayConfigurationError: if it cannot be sent; nothing has been.
        """
        body = super().body()
        for name, field in self.fields.items():
            value = getattr(self, name)
            if value is not None:
                self._put(body, field.wire.split("."), self._converted(name, field, value))
        return body

    def _put(self, body: dict[str, Any], path: list[str], value: Any) -> None:
        *folders, leaf = path
        for folder in folders:
            # A copy: what the author gave as extra_body stays as it is.
            inside = body[folder] = dict(body.get(folder) or {})
            body = inside
        if leaf in body:
            raise RunwayConfigurationError(
                f"extra_body repeats {'.'.join(path)}, which has an argument of its own. Nothing was sent."
            )
        body[leaf] = value

    @staticmethod
    def _converted(name: str, field: Field, value: Any) -> Any:
        try:
            return field.kind(value)
        except ValueError:
            kind = field.kind.__name__.replace("_", " ")
            raise RunwayConfigurationError(
                f"{name} is {str(value)[:40]!r}, which is not a {kind}. Nothing was sent."
            ) from None
