"""One number, or one symmetry operation, in the ways that crystal files write it; the value never changes."""

import re
from decimal import Decimal
from random import Random


def number_text(value: float, decimals: int, random: Random | None = None) -> str:
    """Return a number with its digits after the point; ``random`` chooses among the forms that CIF allows."""
    text = f"{value:.{decimals}f}"
    if random is None:
        return text
    forms = (_plain, _uncertain, _without_zero, _exponent, _signed, _short)
    return random.choice(forms)(text)


def _plain(text: str) -> str:
    return text


def _uncertain(text: str) -> str:
    """0.1230 → 0.1230(4): the value is that before the bracket."""
    return f"{text}(4)"


def _without_zero(text: str) -> str:
    """0.5 → .5, -0.5 → -.5."""
    return re.sub(r"^(-?)0(\.\d)", r"\1\2", text)


def _exponent(text: str) -> str:
    """0.1230 → 1.230e-1, digit for digit."""
    return f"{Decimal(text):e}"


def _signed(text: str) -> str:
    return text if text.startswith("-") else f"+{text}"


def _short(text: str) -> str:
    """0.5000 → 0.5, 90.00000 → 90."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def triplet_text(triplet: str, form: int) -> str:
    """Return an operation such as ``-x,y+1/2,z`` in one of five forms: as it is, and what other programs write."""
    if form == 1:
        return triplet.upper()
    if form == 2:
        return triplet.replace(",", ", ")
    if form == 3:
        turned = (re.sub(r"^(.+)\+(\d/\d)$", r"\2+\1", part) for part in triplet.split(","))
        return ",".join(turned).replace("+-", "-")
    if form == 4:
        return triplet.replace("1/2", "0.5").replace("1/4", ".25").replace("3/4", "0.75")
    return triplet
