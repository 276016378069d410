"""Who made a derived object: what this software writes of itself, and by which it recognises its own output."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

from pydicom.uid import UID

from dicom_io.source.elements import Elements

SOFTWARE_NAME: Final = "qsm-plugin"
SOFTWARE_VERSIONS: Final = f"{SOFTWARE_NAME} {version(SOFTWARE_NAME)}"
MANUFACTURER: Final = "QSM plugin"
MODEL_NAME: Final = "QSM plugin"

DEVICE_SERIAL_NUMBER: Final = "SOFTWARE"
"""DeviceSerialNumber (0018,1000): software has none, but Enhanced General Equipment requires a value."""

INSTANCE_CREATOR_UID: Final = "2.25.189498120413905374871236400498573920116"
"""InstanceCreatorUID (0008,0014) of everything this software derives: the loop guard (PS3.5 B.2 root)."""

IMPLEMENTATION_CLASS_UID: Final = UID("2.25.189498120413905374871236400498573920117")
"""Implementation Class UID (0002,0012), in files and when associations are negotiated (PS3.7 D.3.3.2)."""

IMPLEMENTATION_VERSION_NAME: Final = f"QSM_PLUGIN_{version(SOFTWARE_NAME)}"[:16]
"""Implementation Version Name (0002,0013), 16 characters at most, for the same two uses."""


def is_own_output(elements: Elements) -> bool:
    """Whether this software, in any version, made the object."""
    return elements.text("InstanceCreatorUID") == INSTANCE_CREATOR_UID or any(
        text.split(" ")[0] == SOFTWARE_NAME for text in elements.texts("SoftwareVersions")
    )
