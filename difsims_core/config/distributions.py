"""How a quantity is drawn, pattern by pattern: fixed, uniform, log-uniform, or one of several values.

A bare number in a document means ``fixed``. The type of a drawn quantity that has a unit and physical bounds is
``Annotated[Distribution, within(low, high, unit)]``.
"""

from __future__ import annotations

from numbers import Real
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from difsims_core.config.base import Spec


class Fixed(Spec):
    """The same value for every pattern."""

    fixed: float

    def support(self) -> tuple[float, float]:
        """Return the smallest and the largest value that can be drawn."""
        return self.fixed, self.fixed


class _Range(Spec):
    @staticmethod
    def _ordered(value: tuple[float, float]) -> tuple[float, float]:
        if value[0] > value[1]:
            raise ValueError(f"the range {list(value)} is the wrong way round; write [low, high]")
        return value


class Uniform(_Range):
    """Evenly distributed over [low, high]."""

    uniform: tuple[float, float] = Field(description="[low, high]")

    _check = field_validator("uniform")(_Range._ordered)

    def support(self) -> tuple[float, float]:
        """Return the smallest and the largest value that can be drawn."""
        return self.uniform


class LogUniform(_Range):
    """The logarithm is evenly distributed over [ln low, ln high]; both positive."""

    log_uniform: tuple[float, float] = Field(description="[low, high], both positive")

    _check = field_validator("log_uniform")(_Range._ordered)

    @field_validator("log_uniform")
    @classmethod
    def _positive(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[0] <= 0:
            raise ValueError(f"a log-uniform range must be positive, found {list(value)}")
        return value

    def support(self) -> tuple[float, float]:
        """Return the smallest and the largest value that can be drawn."""
        return self.log_uniform


class Choice(Spec):
    """One of the listed values, all equally likely."""

    choice: tuple[float, ...] = Field(min_length=1, max_length=4096)

    def support(self) -> tuple[float, float]:
        """Return the smallest and the largest value that can be drawn."""
        return min(self.choice), max(self.choice)


DISTRIBUTIONS = {"fixed": Fixed, "uniform": Uniform, "log_uniform": LogUniform, "choice": Choice}


def _from_shorthand(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("expected a number or one of fixed, uniform, log_uniform, choice; found a truth value")  # noqa: TRY004
    if isinstance(value, Real):
        return Fixed(fixed=float(value))
    if isinstance(value, list | tuple):
        raise ValueError(  # noqa: TRY004
            f"a bare list {list(value)} is ambiguous; write {{uniform: [low, high]}}, "
            "{log_uniform: [low, high]} or {choice: [...]}"
        )
    if isinstance(value, dict):
        if len(value) != 1 or next(iter(value)) not in DISTRIBUTIONS:
            found = ", ".join(map(repr, value)) or "nothing"
            raise ValueError(f"expected one of {', '.join(DISTRIBUTIONS)}, found {found}")
        return DISTRIBUTIONS[next(iter(value))].model_validate(value)
    if not isinstance(value, Spec):
        raise ValueError(  # noqa: TRY004
            f"expected a number or one of fixed, uniform, log_uniform, choice; found {value!r}"
        )
    return value


Distribution = Annotated[
    Fixed | Uniform | LogUniform | Choice,
    BeforeValidator(_from_shorthand, json_schema_input_type=float | Fixed | Uniform | LogUniform | Choice),
]


def within(low: float, high: float, unit: str) -> AfterValidator:
    """Return the check that all values that can be drawn lie in [low, high], in ``unit``."""

    def check(value: Distribution) -> Distribution:
        smallest, largest = value.support()
        if smallest < low or largest > high:
            found = f"{smallest:g} is" if smallest == largest else f"values {smallest:g} … {largest:g} are"
            raise ValueError(f"{found} outside the possible range {low:g} … {high:g} {unit}; check the unit")
        return value

    return AfterValidator(check)
