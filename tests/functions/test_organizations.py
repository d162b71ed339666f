from tests.support import build
from tests.support.api import call


def test_create():
    assert build.organization()["status"] == "active"
