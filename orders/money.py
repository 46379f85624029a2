"""Money is an integer of the currency's minor unit; this is the little arithmetic that orders need."""


def tax_within(gross_minor: int, rate_bp: int) -> int:
    """The tax that a gross amount contains, at a rate in basis points, rounded half up to the minor unit."""
    return (2 * gross_minor * rate_bp + 10_000 + rate_bp) // (2 * (10_000 + rate_bp))
