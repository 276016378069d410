"""Orthanc as a peer of the tests: a configuration, and the command that runs it."""

import json

from plugin.lab.demo.pacs import orthanc_program


def orthanc_command(folder, *, ae_title, port, our_port, **changes):
    """Write the configuration of an Orthanc that knows us as ``qsm``, and return the command that runs it."""
    configuration = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "DicomAet": ae_title,
        "DicomPort": port,
        "DicomModalities": {"qsm": ["QSM", "127.0.0.1", our_port]},
        "Plugins": [],
        **changes,
    }
    path = folder / "orthanc.json"
    path.write_text(json.dumps(configuration))
    return [str(orthanc_program()), str(path)]
