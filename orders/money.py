"""Money is an integer of the currency's minor unit with its ISO 4217 code; this is the little arithmetic
that orders need, and how people read an amount."""

# Currencies whose minor unit is not a hundredth, as ISO 4217 has it (list one). Babel's digits are not these: they say
# what is customary in cash, and a forint there has no fillér though banks and payment providers count them (so too COP,
# IDR, IQD and a dozen more).
_DECIMALS = {
    "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0, "UGX": 0,
    "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
    "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
    "CLF": 4, "UYW": 4,
}  # fmt: skip
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
