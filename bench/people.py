"""Makes up buyers: always the same person for the same name of it, none of whom exists.

Phone numbers are from the range that Ofcom keeps for drama (07700 900000 to 900999), e-mail addresses from
RFC 2606.
"""

import random
from typing import Any

_FIRST = ("Ada", "Amir", "Bea", "Chidi", "Dilys", "Ewan", "Fatima", "Grace", "Hugo", "Isla", "Jun", "Zoë")
_LAST = ("Archer", "Bhatt", "Clarke", "Dąbrowska", "Evans", "Fraser", "García", "Hughes", "Ito", "O'Neill")
_STREETS = ("High Street", "Mill Lane", "Station Road", "Church Walk", "Harbour View", "Orchard Close")
_CITIES = ("Bath", "Cardiff", "Derby", "Exeter", "Leeds", "Norwich", "Perth", "York")

# Countries as the Online Retail data names them, to ISO 3166-1. It counts goods to nowhere in particular too.
COUNTRIES = {
    "Australia": "AU", "Austria": "AT", "Bahrain": "BH", "Belgium": "BE", "Brazil": "BR", "Canada": "CA",
    "Channel Islands": "JE", "Cyprus": "CY", "Czech Republic": "CZ", "Denmark": "DK", "EIRE": "IE",
    "Finland": "FI", "France": "FR", "Germany": "DE", "Greece": "GR", "Hong Kong": "HK", "Iceland": "IS",
    "Israel": "IL", "Italy": "IT", "Japan": "JP", "Lebanon": "LB", "Lithuania": "LT", "Malta": "MT",
    "Netherlands": "NL", "Norway": "NO", "Poland": "PL", "Portugal": "PT", "RSA": "ZA",
    "Saudi Arabia": "SA", "Singapore": "SG", "Spain": "ES", "Sweden": "SE", "Switzerland": "CH",
    "USA": "US", "United Arab Emirates": "AE", "United Kingdom": "GB",
}  # fmt: skip
HOME = "GB"


def buyer(name: str, country: str = HOME) -> dict[str, Any]:
    """E-mail, phone and address of the person whom this name stands for, as POST /api/orders/ takes them."""
    dice = random.Random(name)
    return {
        "email": f"buyer-{name.lower()}@example.com",
        "phone": f"+447700900{dice.randrange(1000):03d}",
        "shipping_address": {
            "name": f"{dice.choice(_FIRST)} {dice.choice(_LAST)}",
            "line1": f"{dice.randrange(1, 200)} {dice.choice(_STREETS)}",
            "city": dice.choice(_CITIES),
            "postcode": f"ZZ{dice.randrange(1, 100)} {dice.randrange(10)}ZZ",
            "country": country,
        },
    }
