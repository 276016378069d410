"""The MNI152 2009a symmetric template as nilearn ships it (Fonov 2011, doi:10.1016/j.neuroimage.2010.07.033)."""

from __future__ import annotations

import importlib.resources

import numpy as np
import numpy.typing as npt

_FILES = "mni_icbm152_{kind}_tal_nlin_sym_09a_converted.nii.gz"


def load_map(kind: str) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Return the 1 mm map ``"gm"``, ``"wm"`` (probability times 255) or ``"t1"`` (brain only), and its affine.

    The map is ``(x, y, z)`` float32 along right, anterior, superior; the affine ``(4, 4)`` from voxel to MNI mm.
    """
    import nibabel

    folder = importlib.resources.files("nilearn.datasets") / "data"
    with importlib.resources.as_file(folder / _FILES.format(kind=kind)) as path:
        image = nibabel.load(path)
        return np.asarray(image.dataobj, dtype=np.float32), np.asarray(image.affine)
