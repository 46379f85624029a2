"""Money is an integer of the currency's minor unit with its ISO 4217 code; this is the little arithmetic
that orders need, and how people read an amount."""

# Currencies whose minor unit is not a hundredth (ISO 4217, list one), as the list has them: codes in a row.
_DECIMALS = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),  # noqa: SIM905
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),  # noqa: SIM905
    **dict.fromkeys(["CLF", "UYW"], 4),
}
# Only signs that mean one currency to those who shop in it; every other currency is told by its code.
_SIGNS = {"GBP": "£", "EUR": "€", "USD": "$", "JPY": "¥", "INR": "₹", "KRW": "₩", "ILS": "₪", "UAH": "₴"}


def tax_within(gross_minor: int, rate_bp: int) -> int:
    """The tax that a gross amount contains, at a rate in basis points, rounded half up to the minor unit."""
    return (2 * gross_minor * rate_bp + 10_000 + rate_bp) // (2 * (10_000 + rate_bp))


def decimals(currency: str) -> int:
    """How many digits of the currency follow the point: 2 for GBP, 0 for JPY, 3 for KWD."""
    return _DECIMALS.get(currency, 2)


def format(minor: int, currency: str) -> str:
    """1250, "GBP" -> "£12.50"; a currency without a sign of its own comes as "CHF 12.50", unbroken."""
    places = decimals(currency)
    whole, part = divmod(abs(minor), 10**places)
    digits = f"{whole:,}" + (f".{part:0{places}d}" if places else "")
    sign = _SIGNS.get(currency, f"{currency}\N{NO-BREAK SPACE}")
    return f"{'−' if minor < 0 else ''}{sign}{digits}"


def percent(basis_points: int) -> str:
    """2000 -> "20%", 550 -> "5.5%"."""
    return f"{basis_points / 100:g}%"
