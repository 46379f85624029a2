"""Amounts as people read them. Inside, money is an integer of the currency's minor unit with its ISO 4217 code."""

# Currencies whose minor unit is not a hundredth (ISO 4217, list one).
_WITHOUT = (
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG",
    "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF",
)  # fmt: skip
_THREE = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
_DECIMALS = {**dict.fromkeys(_WITHOUT, 0), **dict.fromkeys(_THREE, 3), "CLF": 4, "UYW": 4}
# Only signs that mean one currency to those who shop in it; every other currency is told by its code.
_SIGNS = {"GBP": "£", "EUR": "€", "USD": "$", "JPY": "¥", "INR": "₹", "KRW": "₩", "ILS": "₪", "UAH": "₴"}


def decimals(currency: str) -> int:
    """How many digits of the currency follow the point: 2 for GBP, 0 for JPY, 3 for KWD."""
    return _DECIMALS.get(currency, 2)


def format(minor: int, currency: str) -> str:
    """1250, "GBP" -> "£12.50"; a currency without a sign of its own comes as "CHF 12.50", never broken in two."""
    places = decimals(currency)
    whole, part = divmod(abs(minor), 10**places)
    digits = f"{whole:,}" + (f".{part:0{places}d}" if places else "")
    sign = _SIGNS.get(currency, f"{currency}\N{NO-BREAK SPACE}")
    return f"{'−' if minor < 0 else ''}{sign}{digits}"
