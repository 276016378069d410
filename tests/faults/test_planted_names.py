"""The check that ends each campaign finds a planted patient wherever it is not an image."""

import os

import pytest

from tests.support.loopback import mr_image
from tests.support.privacy import check_nobody_is_named


@pytest.fixture
def folder(tmp_path):
    mr_image("study", "1", 1).save_as(tmp_path / "image.part", enforce_file_format=True)
    check_nobody_is_named(tmp_path, processes=[os.getpid()], texts=["nobody", b"nobody"])
    return tmp_path


def test_a_name_in_a_file_its_name_or_a_text_is_found(folder):
    with pytest.raises(AssertionError):
        check_nobody_is_named(folder, texts=["of PLANTED^NAME"])
    (folder / "index.sqlite").write_bytes(b"\x00PLANTED-ID\x00")
    with pytest.raises(AssertionError):
        check_nobody_is_named(folder)
    (folder / "index.sqlite").rename(folder / "image.dcm")
    check_nobody_is_named(folder)
    (folder / "PLANTED^NAME").mkdir()
    with pytest.raises(AssertionError):
        check_nobody_is_named(folder)


def test_without_a_planted_name_nothing_was_checked(tmp_path):
    (tmp_path / "log.jsonl").touch()
    with pytest.raises(AssertionError, match="no image names"):
        check_nobody_is_named(tmp_path)
