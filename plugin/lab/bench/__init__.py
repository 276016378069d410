"""Speed of what has sockets: intake beside dcmtk and Orthanc, the way from the scanner to the PACS, memory."""
