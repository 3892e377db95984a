import pickle

from reprise.errors import UserError

ERROR = UserError("masks/3.png: wrong size", "480x360", "64x64\nin the file", "mend the mask")


def test_an_error_says_three_things_in_order():
    assert str(ERROR) == (
        "masks/3.png: wrong size\n"
        "  expected  480x360\n"
        "  received  64x64\n"
        "            in the file\n"
        "  to do     mend the mask"
    )


def test_an_error_crosses_a_process_border_whole():
    assert str(pickle.loads(pickle.dumps(ERROR))) == str(ERROR)
