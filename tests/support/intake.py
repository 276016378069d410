"""The intake of a service without processes and network: a spool, an assembler on it, and a clock that a test turns."""

import hashlib

from pydicom import dcmread

from plugin.config.settings import Settings
from plugin.intake.assembly import Assembler
from plugin.intake.index import ImageRow
from plugin.intake.spool import Spool, Stored
from plugin.jobs.job import Job
from plugin.log import uid_hash

QUIET = 60.0


class Site:
    """A spool, an assembler on it, a clock that the test turns or sets wrong, and the jobs that were submitted."""

    def __init__(self, folder, database_url=""):
        self.spool = Spool(folder, database_url)
        self.now, self.wrong = 1000.0, 0.0
        self.jobs = []
        self.settings = Settings(quiet_seconds=QUIET)
        self.restart()

    def restart(self, **changes):
        self.settings = self.settings.model_copy(update=changes)
        self.assembler = self.new_assembler()

    def new_assembler(self, **kwargs):
        return Assembler(
            self.spool,
            self.jobs.append,
            settings=self.settings,
            clock=lambda: self.now + self.wrong,
            steady=lambda: self.now,
            **kwargs,
        )

    def associate(self, name="a"):
        self.spool.index.open_association(name, "MR1", "10.0.0.5", self.now + self.wrong)

    def release(self, name="a", how="released"):
        self.spool.index.end_association(name, how, self.now + self.wrong)

    def send(self, paths, name="a", how="released"):
        self.associate(name)
        self.put(paths, name)
        self.release(name, how)

    def load(self, job):
        return Job.load(self.spool.folder / "jobs" / job, root=self.spool.folder)

    def put(self, paths, association="a"):
        for path in paths:
            image = dcmread(path, stop_before_pixels=True)
            uids = (image.SOPInstanceUID, image.SeriesInstanceUID, image.StudyInstanceUID)
            assert self.put_bytes(path.read_bytes(), *map(uid_hash, uids), association) is not Stored.CONFLICT

    def put_bytes(self, content, image, series, study, association="a"):
        digest = hashlib.sha256(content).hexdigest()
        names = {"image": image, "series": series, "study": study, "association": association}
        return self.spool.store(ImageRow(**names, digest=digest, received_at=self.now + self.wrong), [content])

    def pass_after(self, seconds=0.0):
        self.now += seconds
        self.assembler.run_pass()
        return [row.state for row in self.spool.index.acquisitions()]


def refused_site(site):
    told = []
    site.assembler = site.new_assembler(refuse=told.append)
    return told
