import itertools

import nibabel
import numpy as np
import pytest

from plugin.errors import ConfigurationError
from plugin.jobs.mask_file import check_mask, read_mask
from recon.errors import InvalidInputError

SHAPE = (5, 4, 3)


@pytest.fixture
def mask():
    return np.random.default_rng(1).random(SHAPE) > 0.5


def oblique():
    """Return an affine as scanners have: oblique, anisotropic, left-handed, far from the origin."""
    angles = np.radians((20.0, -7.0, 12.0))
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    turn = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]]) @ np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    turn = turn @ np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag((-2.0, -2.2, 3.0))
    affine[:3, 3] = (101.5, 88.25, -40.0)
    return affine


AFFINE = oblique()


def write(path, mask, *, sform=None, qform=None):
    """Write a NIfTI file with either form, both or none."""
    image = nibabel.Nifti1Image(mask.astype(np.uint8), None)
    image.set_sform(sform, code=0 if sform is None else 1)
    image.set_qform(qform, code=0 if qform is None else 1)
    image.to_filename(path)
    return path


def test_an_array_is_read_as_it_was_stored(mask, tmp_path):
    np.save(tmp_path / "mask.npy", mask)
    found = read_mask(tmp_path / "mask.npy", SHAPE, AFFINE)
    assert found.dtype == np.bool_
    np.testing.assert_array_equal(found, mask)


ORDERS = [
    (order, flips) for order in itertools.permutations(range(3)) for flips in itertools.product((1, -1), repeat=3)
]


@pytest.mark.parametrize("forms", [("sform",), ("qform",), ("sform", "qform")])
@pytest.mark.parametrize(("order", "flips"), ORDERS)
def test_a_nifti_mask_in_any_order_and_sense_of_axes_is_the_same_mask(mask, tmp_path, order, flips, forms):
    orientation = np.column_stack((np.argsort(order), np.array(flips)))
    stored = nibabel.orientations.apply_orientation(mask, orientation)
    affine = AFFINE @ nibabel.orientations.inv_ornt_aff(orientation, SHAPE)
    path = write(tmp_path / "mask.nii", stored, **dict.fromkeys(forms, affine))
    np.testing.assert_array_equal(read_mask(path, SHAPE, AFFINE), mask)


def test_a_compressed_mask_is_read_and_an_affine_rounded_by_its_writer_is_accepted(mask, tmp_path):
    path = write(tmp_path / "mask.nii.gz", mask, sform=np.round(AFFINE, 2))
    np.testing.assert_array_equal(read_mask(path, SHAPE, AFFINE), mask)


def test_a_mask_that_does_not_state_its_axes_is_refused(mask, tmp_path):
    with pytest.raises(InvalidInputError, match="neither sform nor qform"):
        read_mask(write(tmp_path / "mask.nii", mask), SHAPE, AFFINE)


def test_a_mask_whose_forms_disagree_is_refused(mask, tmp_path):
    flipped = AFFINE @ nibabel.orientations.inv_ornt_aff([[0, -1], [1, 1], [2, 1]], SHAPE)
    for forms in ({"sform": AFFINE, "qform": flipped}, {"sform": flipped, "qform": AFFINE}):
        with pytest.raises(InvalidInputError, match="sform and qform differ"):
            read_mask(write(tmp_path / "mask.nii", mask, **forms), SHAPE, AFFINE)


def test_a_mask_with_a_singular_affine_is_refused(mask, tmp_path):
    with pytest.raises(InvalidInputError, match="singular"):
        read_mask(write(tmp_path / "mask.nii", mask, sform=np.diag((1.0, 1.0, 0.0, 1.0))), SHAPE, AFFINE)


def moved(affine, **change):
    changed = affine.copy()
    if "shift" in change:
        changed[:3, 3] += affine[:3, 0] * change["shift"]
    if "scale" in change:
        changed[:3, 2] *= change["scale"]
    if "degrees" in change:
        angle = np.radians(change["degrees"])
        turn = [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
        changed[:3, :3] = np.array(turn) @ changed[:3, :3]
    return changed


@pytest.mark.parametrize(
    ("shape", "change", "sentence"),
    [
        ((5, 4, 4), {}, "shape 5 x 4 x 4, expected 5 x 4 x 3"),
        (SHAPE, {"shift": 0.5}, "first voxel 1.0 mm away"),
        (SHAPE, {"scale": 2}, "voxels of 2 x 2.2 x 6 mm, expected 2 x 2.2 x 3 mm"),
        (SHAPE, {"degrees": 15}, "axes turned by 15 degrees"),
    ],
)
def test_a_mask_on_another_grid_is_refused_with_what_differs(tmp_path, shape, change, sentence):
    path = write(tmp_path / "mask.nii", np.ones(shape, bool), sform=moved(AFFINE, **change))
    with pytest.raises(InvalidInputError, match=sentence):
        read_mask(path, SHAPE, AFFINE)


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
        check_mask(tmp_path / "mask.npy")


def test_an_array_of_another_shape_is_refused(tmp_path):
    np.save(tmp_path / "mask.npy", np.ones((5, 4, 4), bool))
    with pytest.raises(InvalidInputError, match="5 x 4 x 3"):
        read_mask(tmp_path / "mask.npy", SHAPE, AFFINE)


@pytest.mark.parametrize("name", ["absent.npy", "damaged.npy", "damaged.nii.gz", "mask.txt"])
def test_what_cannot_be_read_is_refused(name, tmp_path):
    if not name.startswith("absent"):
        (tmp_path / name).write_bytes(b"no mask")
    with pytest.raises(ConfigurationError, match=name):
        check_mask(tmp_path / name)
