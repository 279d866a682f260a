"""Money: decimal amounts that come from files and from other hosts, and how they are written."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation


def is_amount(cost: Decimal) -> bool:
    """Tell whether a number can be meant as an amount. The test itself cannot overflow."""
    return cost.is_finite() and cost.copy_abs() < _COST_MAX


def money_text(cost: Decimal | None) -> str | None:
    """Write an amount as plain decimal digits, without an exponent; None when it cannot be meant."""
    if cost is None or not is_amount(cost):
        return None
    exponent = cost.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -_DECIMALS_MAX:
        cost = cost.quantize(Decimal((0, (1,), -_DECIMALS_MAX)))
    return format(cost, "f")


_COST_MAX = Decimal(10) ** 9
"""More than any session costs. With the smallest unit it keeps every sum within the 28 digits that decimal
arithmetic holds exactly, so that no order of adding can show; it also keeps a transcript from making us write
out an exponent of millions of digits."""

_DECIMALS_MAX = 18


def parse_money(text: str | None) -> Decimal | None:
    """Read decimal text; what is no amount counts as unknown, since other hosts' events are not trusted."""
    if text is None:
        return None
    try:
        cost = Decimal(text)
    except InvalidOperation:
        return None
    plain = money_text(cost)
    return None if plain is None else Decimal(plain)


def dollars(cost: Decimal) -> str:
    """Write an amount with at least two decimals and never rounded: ``$4.20``, ``$0.0003``."""
    digits = format(cost, "f")
    whole, _, decimals = digits.partition(".")
    return f"${whole}.{decimals.rstrip('0').ljust(2, '0')}"
