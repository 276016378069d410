"""The index: what was received, and what it was assembled to.

Its truth is the received images; the rows of ``acquisition`` follow from them and the clock. The columns name objects
by hashes of their UIDs (``plugin.log.uid_hash``), but headers hold the UIDs and the site's names of protocols: the file
is as private as the images, readable by the service's user alone, and not for support mails. It holds no name, number
or date of birth of a patient. The jobs themselves live in the durable workflow's database.
"""

VERSION = 5
"""Version of the tables; to be changed with ``SCHEMA`` and ``MIGRATIONS``."""

_HEARTBEAT = """
CREATE TABLE IF NOT EXISTS heartbeat (     -- processes that share this database
    name        TEXT NOT NULL,             -- host, or the worker's name and host
    role        TEXT NOT NULL,             -- receiver | assembler | worker | deliverer
    host        TEXT NOT NULL,
    beat_at     DOUBLE PRECISION NOT NULL, -- by the database's clock
    epoch       INTEGER NOT NULL,          -- of its lease: counts up at each start, and when others take over
    PRIMARY KEY (role, name)
);
"""

_PROTOCOL = """
CREATE TABLE IF NOT EXISTS protocol (      -- how the protocol of an acquisition was judged
    acquisition TEXT PRIMARY KEY,
    study       TEXT NOT NULL,
    vendor      TEXT NOT NULL,
    judged      TEXT NOT NULL              -- JSON list of [recommendation, level, what was found]
);
CREATE INDEX IF NOT EXISTS protocol_study ON protocol (study);
"""

_INDEXES = """
CREATE INDEX IF NOT EXISTS image_received ON image (received_at);
CREATE INDEX IF NOT EXISTS image_skipped ON image (code, reason) WHERE code IS NOT NULL;
CREATE INDEX IF NOT EXISTS acquisition_changed ON acquisition (changed_at);
"""

MIGRATIONS = {
    1: "ALTER TABLE image ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;",
    2: f"ALTER TABLE association ADD COLUMN owner TEXT NOT NULL DEFAULT 'local';{_HEARTBEAT}{_INDEXES}",
    3: _PROTOCOL,
    4: "SELECT 1;",
}
"""What makes an index of a version one of the next. Version 5 has the tables of version 4: it keeps a program of
version 4 from the queued deliveries, whose form it does not know."""

KEYS = {
    "association": ("association",),
    "image": ("image",),
    "acquisition": ("acquisition",),
    "job": ("job",),
    "protocol": ("acquisition",),
    "commitment": ("transaction_uid",),
}
"""Primary keys of the tables whose rows are dataclasses."""

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS association (
    association TEXT PRIMARY KEY,
    calling_ae  TEXT NOT NULL,
    address     TEXT NOT NULL,             -- IP address of the peer
    opened_at   DOUBLE PRECISION NOT NULL,             -- seconds since the epoch, as all times here
    ended_at    DOUBLE PRECISION,                      -- NULL while images may still arrive on it
    ended_how   TEXT,                      -- released | aborted | lost | recovered
    owner       TEXT NOT NULL DEFAULT 'local' -- host of the receiver
);

CREATE TABLE IF NOT EXISTS image (
    image       TEXT PRIMARY KEY,          -- hash of the SOP Instance UID
    series      TEXT NOT NULL,
    study       TEXT NOT NULL,
    digest      TEXT NOT NULL,             -- SHA-256 of the data set as it was sent
    association TEXT NOT NULL,
    received_at DOUBLE PRECISION NOT NULL,
    header      TEXT,                      -- ImageHeader as JSON: NULL until the assembler has read it
    code        TEXT,                      -- why the image is skipped: NULL for a usable one
    reason      TEXT,
    attempts    INTEGER NOT NULL DEFAULT 0 -- how often reading the header began
);
CREATE INDEX IF NOT EXISTS image_unread ON image (received_at) WHERE header IS NULL AND code IS NULL;
CREATE INDEX IF NOT EXISTS image_study ON image (study);

CREATE TABLE IF NOT EXISTS conflict (
    image       TEXT NOT NULL,             -- whose UID it has
    digest      TEXT NOT NULL,
    path        TEXT NOT NULL,             -- relative to the spool
    received_at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (image, digest)
);

CREATE TABLE IF NOT EXISTS acquisition (
    acquisition TEXT PRIMARY KEY,          -- Acquisition.key
    study       TEXT NOT NULL,
    state       TEXT NOT NULL,             -- collecting | incomplete | refused | ignored | queued | failed
    images      INTEGER NOT NULL,
    code        TEXT NOT NULL,             -- reason of incomplete and refused
    reason      TEXT NOT NULL,
    missing     TEXT NOT NULL,             -- JSON list of sentences
    job         TEXT NOT NULL,             -- the job it was submitted as last, empty before
    changed_at  DOUBLE PRECISION NOT NULL,
    series      TEXT NOT NULL,             -- JSON list of hashes of its series
    evidence    TEXT NOT NULL,             -- what its completeness was concluded from
    rules       TEXT NOT NULL              -- JSON list: what each rule of the site said
);
CREATE INDEX IF NOT EXISTS acquisition_study ON acquisition (study);

CREATE TABLE IF NOT EXISTS job (           -- all jobs that were submitted: what a later one has to know of them
    job         TEXT PRIMARY KEY,
    study       TEXT NOT NULL,
    images      TEXT NOT NULL,             -- JSON list of [SOP Instance UID, frame]
    numbers     TEXT NOT NULL              -- JSON list of the series numbers reserved for its results
);
CREATE INDEX IF NOT EXISTS job_study ON job (study);

CREATE TABLE IF NOT EXISTS announced (     -- images that a sender says exist
    source      TEXT NOT NULL,             -- mpps | ian | commitment
    name        TEXT NOT NULL,             -- hash of the UID of the step, notification or transaction
    series      TEXT NOT NULL,             -- empty where the sender does not say it
    image       TEXT NOT NULL,
    announced_at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (source, name, image)
);
CREATE INDEX IF NOT EXISTS announced_series ON announced (series);
CREATE INDEX IF NOT EXISTS announced_image ON announced (image);

CREATE TABLE IF NOT EXISTS step (          -- performed procedure steps
    step        TEXT PRIMARY KEY,          -- hash of the SOP Instance UID
    state       TEXT NOT NULL,             -- IN PROGRESS | COMPLETED | DISCONTINUED
    changed_at  DOUBLE PRECISION NOT NULL
);

CREATE TABLE IF NOT EXISTS commitment (    -- requests for storage commitment, kept until they are answered
    transaction_uid TEXT PRIMARY KEY,      -- as it is: the answer repeats it
    calling_ae  TEXT NOT NULL,
    address     TEXT NOT NULL,
    refs        TEXT NOT NULL,             -- JSON list of [SOP Class UID, SOP Instance UID]
    state       TEXT NOT NULL DEFAULT 'pending',  -- pending | answered | given up
    attempts    INTEGER NOT NULL DEFAULT 0,
    asked_at    DOUBLE PRECISION NOT NULL,
    next_at     DOUBLE PRECISION NOT NULL
);
{_HEARTBEAT}{_PROTOCOL}{_INDEXES}
"""
