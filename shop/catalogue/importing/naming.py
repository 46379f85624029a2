"""Makes names and categories from a till's descriptions, such as "SET OF 3 CAKE TINS PANTRY DESIGN".

The categories have the names of the demo catalogue's where they mean the same, so that both share one menu.
"""

import re

# A description belongs to the first category that has one of its words (apart from a plural s or es), so the order
# counts: a Christmas candle belongs to Christmas, a children's cup to Kids.
_WORDS = """
Christmas: CHRISTMAS XMAS ADVENT NATIVITY SANTA SNOWMAN SNOWMEN REINDEER BAUBLE STOCKING NOEL PANETTONE PANNETONE
  HOLLY MISTLETOE SNOWFLAKE JINGLE ANGEL
Kids: TOY GAME DOLL JIGSAW SKIPPING MARBLE CHILDRENS CHILDREN CHILDS CHILD KID BABY PUPPET SPINNING PLAYING DOMINO
  TEDDY BINGO SKITTLE NURSERY INFLATABLE HARMONICA ABC SPACEBOY DINOSAUR HOPSCOTCH COLOURING NAUGHT CATCH
Party: PARTY BUNTING BALLOON GARLAND BIRTHDAY CONFETTI HEN EASTER
Bags & Travel: BAG HANDBAG WASHBAG BACKPACK RUCKSACK LUGGAGE SUITCASE SHOPPER PURSE WALLET PASSPORT UMBRELLA TRAVEL
Jewellery & Beauty: NECKLACE EARRING BRACELET BANGLE BROOCH PENDANT CHARM JEWELLERY RING HAIR HAIRCLIP HAIRBAND
  HAIRSLIDE DIAMANTE LIP SOAP COSMETIC MANICURE MAKEUP TISSUE
Cards & Gift Wrap: CARD WRAP WRAPPING NOTEBOOK PENCIL PEN STICKER RIBBON TAPE GIFT TAG ENVELOPE SKETCHBOOK STATIONERY
  RUBBER ERASER STAMP BOOKMARK CALENDAR PAPER ORIGAMI NOTELET POSTCARD JOURNAL
Candles & Lights: CANDLE LIGHT TLIGHT TEALIGHT LANTERN LAMP LAMPSHADE CANDLESTICK CANDLEHOLDER INCENSE VOTIVE
  CHANDELIER BULB
Outdoors: GARDEN GARDENING GARDENER PLANT PLANTER POTTING WATERING HERB SEED TROWEL FLOWERPOT TRELLIS SECATEUR PICNIC
  PARASOL DECKCHAIR BICYCLE GNOME BEACH CAMPING FEEDER
Kitchen: MUG CUP CUPCAKE CAKE CAKESTAND CAKESTANDS TEA TEAPOT TEACUP TEASPOON COFFEE BOWL PLATE JAR TIN CUTLERY BAKING
  JUG KITCHEN LUNCH BOTTLE TRAY EGG PAN SPOON SCALE APRON OVEN NAPKIN BEAKER JAM JELLY BISCUIT SNACK POPCORN RECIPE
  BREAD BREADBIN COOKIE TOWEL DISH BREAKFAST CHOPPING DOILY DOILIE DOYLEY DOILEY MEASURING FORK PANTRY COASTER
  PLACEMAT SAUCER BUTTER SALT PEPPER SPICE STRAW TEATIME TOAST TOASTER COLANDER LADLE CHILLI MOULD CUTTER SODA DINNER
  FRUITBOWL FRIDGE TUMBLER GOBLET
"""
CATEGORIES = {
    name: frozenset(words.split())
    for name, _, words in (entry.partition(":") for entry in re.split(r"\n(?! )", _WORDS.strip()))
}
ANYTHING_ELSE = "Home"

_SMALL_WORDS = frozenset(
    ["a", "an", "and", "at", "by", "de", "for", "from", "in", "of", "on", "or", "the", "to", "with"]
)
_LETTERS = re.compile(r"[A-Z]+")
_NAME_PART = re.compile(r"[^\W\d_][\w']*")


def is_goods(description: str) -> bool:
    """Whether a description names goods. The till writes goods in capitals ("BAG 250g SWIRLY MARBLES"), but not
    services and clerks' notes ("Next Day Carriage", "damaged")."""
    capitals = sum(sign.isupper() for sign in description)
    return capitals * 2 > sum(sign.isalpha() for sign in description)


def category_of(description: str) -> str:
    """The first category of the table above that has a word of the description, else Home."""
    text = description.upper().replace("T-LIGHT", "TLIGHT").replace("'S", "S")
    words = set(_LETTERS.findall(text))
    words |= {word.removesuffix("S") for word in words} | {word.removesuffix("ES") for word in words}
    return next((name for name, keywords in CATEGORIES.items() if words & keywords), ANYTHING_ELSE)


def name_of(description: str) -> str:
    """A name to show: "SET OF 3  T-LIGHT HOLDERS" is "Set of 3 T-Light Holders"."""
    words = description.split()
    return " ".join(_cased(word, first=at == 0) for at, word in enumerate(words)).rstrip(" ,.;:-")


def _cased(word: str, *, first: bool) -> str:
    if word.lower() in _SMALL_WORDS and not first:
        return word.lower()
    if word[0].isdigit():
        return word if word.isupper() and len(word) <= 2 else word.lower()  # 3D stays, 60CM and 50'S do not
    return _NAME_PART.sub(lambda part: part[0].capitalize(), word)
