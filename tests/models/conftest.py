"""What the tests of models share."""

import gc

import keras
import pytest


@pytest.fixture(autouse=True)
def no_network_is_kept(request):
    """The slow tests make a hundred networks, which together would fill the memory."""
    yield
    if request.node.get_closest_marker("slow"):
        keras.backend.clear_session()
        gc.collect()
