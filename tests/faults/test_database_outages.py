"""PostgreSQL is killed again and again while a receiver takes images: every acknowledged one is in the index."""

import random

from plugin.config.settings import Disk, Settings
from plugin.intake import journal
from plugin.intake.receiver import start_receiver
from plugin.intake.spool import Spool
from plugin.log import uid_hash
from tests.support.campaign import count, counted, say
from tests.support.loopback import free_port, mr_image, send_images, wait_for
from tests.support.postgres import running_server
from tests.support.privacy import check_nobody_is_named

IMAGES = 6


def test_what_was_acknowledged_outlives_every_outage_of_the_database(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "_POLL_SECONDS", 0.1)
    outages, chance, sent = count(1, 50), random.Random(24), {}
    with running_server() as server:
        url = server.new_database()
        settings = Settings(
            port=free_port(),
            spool=tmp_path / "spool",
            database_url=url,
            local_folder=tmp_path / "local",
            disk=Disk(reserve_gib=0, used_percent=100),
        )
        spool = Spool(settings.spool, url, settings.host, settings.local_folder)
        running = start_receiver(settings, spool)
        try:
            for outage in counted(outages, "outages of PostgreSQL"):
                images = [mr_image("study", str(outage), number) for number in range(IMAGES)]
                stop_at, start_at = sorted(chance.sample(range(IMAGES + 1), 2))
                for number, image in enumerate(images):
                    if number == stop_at:
                        server.stop()
                    if number == start_at:
                        server.start()
                    assert send_images(settings.port, [image]) == [0x0000]
                    sent[uid_hash(image.SOPInstanceUID)] = str(outage)
                if start_at == IMAGES:
                    server.start()
            file = settings.local_folder / journal.JOURNAL_FILE
            wait_for(lambda: not file.stat().st_size, seconds=60, what="the journal is repeated")
            assert {row.image for row in spool.index.unread_images(len(sent) + 1)} == set(sent)
            check_nobody_is_named(tmp_path, texts=[server.dump(url), (server.folder / "log").read_bytes()])
            assert {path.stem for path in settings.spool.glob("images/*/*/*.dcm")} == set(sent)
        finally:
            running.shutdown()
            spool.index.close()
    say(f"{outages} outages of PostgreSQL: {len(sent)} images acknowledged, all in the index.")
