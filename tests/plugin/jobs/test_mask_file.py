import nibabel
import numpy as np
import pytest

from plugin.errors import ConfigurationError
from plugin.jobs.mask_file import read_mask
from recon.errors import InvalidInputError

SHAPE = (5, 4, 3)


@pytest.fixture
def mask():
    return np.random.default_rng(1).random(SHAPE) > 0.5


@pytest.mark.parametrize("name", ["mask.npy", "mask.nii", "mask.nii.gz"])
def test_a_mask_is_read_as_it_was_stored(mask, tmp_path, name):
    path = tmp_path / name
    if name.endswith("npy"):
        np.save(path, mask)
    else:
        nibabel.Nifti1Image(mask.astype(np.uint8), np.diag((-1, 2, 3, 1))).to_filename(path)
    found = read_mask(path, SHAPE)
    assert found.dtype == np.bool_
    np.testing.assert_array_equal(found, mask)


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.zeros(SHAPE, bool), "empty"),
        (np.full(SHAPE, 0.5), "0 and 1"),
        (np.ones((5, 4), bool), "three-dimensional"),
    ],
)
def test_an_array_that_is_not_a_mask_is_refused(array, sentence, tmp_path):
    np.save(tmp_path / "mask.npy", array)
    with pytest.raises(ConfigurationError, match=sentence):
        read_mask(tmp_path / "mask.npy", SHAPE)


def test_a_mask_of_another_shape_is_refused(tmp_path):
    np.save(tmp_path / "mask.npy", np.ones((5, 4, 4), bool))
    with pytest.raises(InvalidInputError, match="5 x 4 x 3"):
        read_mask(tmp_path / "mask.npy", SHAPE)


@pytest.mark.parametrize("name", ["absent.npy", "damaged.npy", "damaged.nii.gz", "mask.txt"])
def test_what_cannot_be_read_is_refused(name, tmp_path):
    if not name.startswith("absent"):
        (tmp_path / name).write_bytes(b"no mask")
    with pytest.raises(ConfigurationError, match=name):
        read_mask(tmp_path / name)
