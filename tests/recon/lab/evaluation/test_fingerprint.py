"""The fingerprint of the code follows what it does, and leaves out what no result depends on."""

import pytest

from recon.lab.evaluation.fingerprint import RECON, WITHOUT, code_fingerprint


@pytest.fixture
def fingerprint(tmp_path):
    module = tmp_path / "physics" / "field.py"
    module.parent.mkdir()

    def of(source, **left_out):
        module.write_text(source)
        code_fingerprint.cache_clear()
        return code_fingerprint(tmp_path, **left_out)

    yield of
    code_fingerprint.cache_clear()


def test_it_follows_what_the_code_does_and_not_what_is_said_of_it(fingerprint):
    plain = fingerprint("def f(x):\n    return x + 1\n")
    assert fingerprint('"""Of fields."""\ndef f(x):\n    """Add one."""\n    return x + 1  # why\n') == plain
    assert fingerprint("def f(x):\n    return x + 2\n") != plain


@pytest.mark.parametrize(("folder", "left_out"), [("physics", True), ("physics/field", False), ("phys", False)])
def test_folders_that_are_left_out_do_not_count(fingerprint, folder, left_out):
    one, two = (fingerprint(f"LIMIT = {limit}\n", without=(folder,)) for limit in (1, 2))
    assert (one == two) is left_out


@pytest.mark.parametrize("folder", WITHOUT)
def test_every_folder_that_is_left_out_exists(folder):
    assert list((RECON / folder).glob("*.py"))
