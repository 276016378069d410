from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless, MRImageStorage
from pynetdicom.dimse_messages import C_STORE_RSP
from pynetdicom.dimse_primitives import C_STORE

from dicom_io.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from plugin.network.encoding import file_header, store_response

pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR UI")

UIDS = ["1.2.3", "1.2.34", "1." * 31 + "9", "1.2.\xe9"]


@pytest.mark.parametrize("instance", UIDS)
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, JPEGLSLossless])
def test_the_head_of_a_file_is_what_pydicom_writes(instance, syntax):
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = instance
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    expected = BytesIO()
    write_file_meta_info(expected, meta)
    header = file_header(MRImageStorage, instance, syntax)
    assert header == bytes(128) + b"DICM" + expected.getvalue()
    assert dcmread(BytesIO(header)).file_meta.MediaStorageSOPInstanceUID == instance


@pytest.mark.parametrize("instance", UIDS)
@pytest.mark.parametrize(("message_id", "status"), [(1, 0x0000), (65535, 0xA700), (7, 0x0111)])
def test_the_answer_is_what_pynetdicom_sends(instance, message_id, status):
    primitive = C_STORE()
    primitive.MessageID = primitive.MessageIDBeingRespondedTo = message_id
    primitive.AffectedSOPClassUID, primitive.AffectedSOPInstanceUID = MRImageStorage, instance
    primitive.Status = status
    message = C_STORE_RSP()
    message.primitive_to_message(primitive)
    (sent,) = message.encode_msg(3, 0)
    assert sent.presentation_data_value_list == [
        (3, b"\x03" + store_response(message_id, MRImageStorage, instance, status))
    ]
