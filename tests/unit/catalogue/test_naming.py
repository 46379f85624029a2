"""A till's descriptions become names and categories."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.catalogue.importing.naming import category_of, is_goods, name_of


@pytest.mark.parametrize(
    ("description", "name"),
    [
        ("WHITE HANGING HEART T-LIGHT HOLDER", "White Hanging Heart T-Light Holder"),
        ("SET OF 3 CAKE TINS  PANTRY DESIGN ", "Set of 3 Cake Tins Pantry Design"),
        ("BAG 250g SWIRLY MARBLES", "Bag 250g Swirly Marbles"),
        ("PAPER CHAIN KIT 50'S CHRISTMAS", "Paper Chain Kit 50's Christmas"),
        ("CHILDREN'S APRON DOLLY GIRL", "Children's Apron Dolly Girl"),
        ("OFFICE MUG WARMER BLACK+SILVER", "Office Mug Warmer Black+Silver"),
        ("SET 3D CARDS", "Set 3D Cards"),
        ("LUNCH BAG BLACK SKULL.", "Lunch Bag Black Skull"),
    ],
)
def test_names_read_well(description: str, name: str) -> None:
    assert name_of(description) == name


@pytest.mark.parametrize(
    ("description", "category"),
    [
        ("CHRISTMAS TREE T-LIGHT HOLDER", "Christmas"),
        ("WHITE HANGING HEART T-LIGHT HOLDER", "Candles & Lights"),
        ("CHILDREN'S CUP", "Kids"),
        ("LUNCH BAG RED RETROSPOT", "Bags & Travel"),
        ("SET OF 3 CAKE TINS", "Kitchen"),
        ("SMALL GLASS DISHES", "Kitchen"),
        ("WATERING CAN", "Outdoors"),
        ("PHOTO FRAME", "Home"),
        ("PANDA RUG", "Home"),  # holds no word of the table, only letters of one ("pan")
    ],
)
def test_the_first_category_with_a_word_of_the_description(description: str, category: str) -> None:
    assert category_of(description) == category


@pytest.mark.parametrize(
    "note", ["check", "Manual", "Next Day Carriage", "??missing", "John Lewis", "", "???"]
)
def test_a_note_does_not_name_goods(note: str) -> None:
    assert not is_goods(note)


def test_goods_are_in_capitals_except_measures() -> None:
    assert is_goods("POLYESTER FILLER PAD 40x40cm")


@given(st.text(max_size=300))
def test_every_description_makes_a_name_and_a_category(text: str) -> None:
    assert len(name_of(text)) <= 2 * len(text)
    assert category_of(text)
