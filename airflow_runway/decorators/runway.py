"""``@task.runway`` and ``@task.runway_batch``: a function says what is generated, the operators do the rest.

.. code-block:: python

    @task.runway(route="image_to_video", wait_for_completion=True)
    def film(shot: dict) -> dict:
        return {"model": "gen4_turbo", "promptImage": shot["picture"], "ratio": "1280:720", "duration": 5}


    film.expand(shot=shots())

What a function returns is not rendered: it may hold a stranger's words, and ``{{ }}`` among them is nothing to be
carried out. Its arguments are, as those of any TaskFlow function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    DecoratedOperator,
    context_merge,
    determine_kwargs,
    task_decorator_factory,
)

from airflow_runway.core.redaction import redact
from airflow_runway.exceptions import RunwayConfigurationError
from airflow_runway.operators.runway import RunwayBatchOperator, RunwaySubmitOperator

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from airflow.providers.common.compat.sdk import TaskDecorator
    from airflow.sdk import Context

    from airflow_runway.operators._batch.manifest import BatchSummary
    from airflow_runway.operators._batch.phase import BatchPhase
    from airflow_runway.operators._batch.requests import Request


class _Decorated(DecoratedOperator):
    """A function whose value an operator sends.

    :param python_callable: the function.
    :param op_args: its positional arguments; templated.
    :param op_kwargs: its other arguments; templated.
    """

    #: What the function gives, among the operator's arguments.
    returned: ClassVar[str]
    #: Airflow then shows what the function gave among the rendered templates.
    overwrite_rtif_after_execution = True

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if self.returned in kwargs:
            raise TypeError(
                f"{self.returned} is what the function returns, and no argument of the decorator."
            )
        kwargs[self.returned] = {}
        super().__init__(python_callable=python_callable, op_args=op_args, op_kwargs=op_kwargs, **kwargs)

    def called(self, context: Context) -> Any:
        """What the function returns now.

        :param context: of the task that runs.
        """
        context_merge(context, self.op_kwargs)
        return self.python_callable(
            *self.op_args, **determine_kwargs(self.python_callable, self.op_args, context)
        )


class RunwayDecoratedOperator(_Decorated, RunwaySubmitOperator):
    """A :class:`~airflow_runway.operators.runway.RunwaySubmitOperator` whose payload a function returns."""

    custom_operator_name = "@task.runway"
    returned = "payload"
    template_fields: Sequence[str] = (
        *DecoratedOperator.template_fields,
        *RunwaySubmitOperator.template_fields,
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DecoratedOperator.template_fields_renderers,
        **RunwaySubmitOperator.template_fields_renderers,
    }

    def execute(self, context: Context) -> Any:
        """Call the function, then do as the operator does.

        :param context: of the task that runs.
        """
        self.payload = self.called(context)
        return super().execute(context)


class RunwayBatchDecoratedOperator(_Decorated, RunwayBatchOperator):
    """A :class:`~airflow_runway.operators.runway.RunwayBatchOperator` whose list a function returns.

    The function is called at each phase of the batch, so it should give the same list each time; what it gives is
    compared with what was pinned. Where it fails after the first phase, what is paid for is kept and waited for all
    the same.
    """

    custom_operator_name = "@task.runway_batch"
    returned = "requests"
    template_fields: Sequence[str] = (
        *DecoratedOperator.template_fields,
        *RunwayBatchOperator.template_fields,
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DecoratedOperator.template_fields_renderers,
        **RunwayBatchOperator.template_fields_renderers,
    }
    _context: Context
    _has_begun = False

    def execute(self, context: Context) -> BatchSummary:
        """Do as the operator does, with the list that the function gives.

        :param context: of the task that runs.
        """
        self._context = context
        summary: BatchSummary = super().execute(context)
        return summary

    def execute_complete(self, context: Context, event: Any) -> BatchSummary:
        """Go on as the operator does, with the list that the function gives now.

        :param context: of the task that runs.
        :param event: what the trigger tells.
        """
        self._context = context
        summary: BatchSummary = super().execute_complete(context, event)
        return summary

    def _find_bodies(self, phase: BatchPhase) -> None:
        self._has_begun = True
        super()._find_bodies(phase)

    def _requests(self) -> list[Request]:
        try:
            self.requests = self.called(self._context)
        except Exception as error:
            if not self._has_begun:
                raise
            self.log.exception("The function that gives the list failed; what is recorded needs none.")
            told = (
                f"The function that gives the list raised {type(error).__name__}: {redact(error, limit=200)}."
            )
            raise RunwayConfigurationError(f"{told} Nothing was sent.") from None
        return super()._requests()


def runway_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> TaskDecorator:
    """``@task.runway``: the function returns the JSON body of one generation.

    :param python_callable: the function.
    :param kwargs: as for :class:`~airflow_runway.operators.runway.RunwaySubmitOperator`, but for ``payload``.
    """
    return task_decorator_factory(
        python_callable=python_callable,
        # The task's value is the operator's, whatever the function is said to return.
        multiple_outputs=False,
        decorated_operator_class=RunwayDecoratedOperator,
        **kwargs,
    )


def runway_batch_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> TaskDecorator:
    """``@task.runway_batch``: the function returns the list of JSON bodies, or the URL of a JSON-lines file.

    :param python_callable: the function.
    :param kwargs: as for :class:`~airflow_runway.operators.runway.RunwayBatchOperator`, but for ``requests``.
    """
    return task_decorator_factory(
        python_callable=python_callable,
        multiple_outputs=False,
        decorated_operator_class=RunwayBatchDecoratedOperator,
        **kwargs,
    )
