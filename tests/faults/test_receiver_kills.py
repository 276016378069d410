"""The receiver, killed before and after each of its durable operations: what it acknowledged is on the disk."""

from tests.support.campaign import count, counted, say
from tests.support.loopback import mr_image
from tests.support.privacy import check_nobody_is_named
from tests.support.receiver_process import ReceiverProcess

IMAGES = 4


def test_what_was_acknowledged_outlives_every_kill(tmp_path):
    receiver = ReceiverProcess(tmp_path / "spool", log=tmp_path / "log.jsonl")
    kills = count(3, 200)
    # Into starting, associating, and each of the images; the prime spreads a few over all of them.
    for number in counted(kills, "kills of the receiver"):
        with receiver.running(kill_at=1 + (53 * number) % 150) as process:
            images = [mr_image("study", str(number), n) for n in range(IMAGES)]
            receiver.send(images)
            process.kill()
    with receiver.running() as process:
        images = [mr_image("study", "last", n) for n in range(IMAGES)]
        assert receiver.send(images) == IMAGES
        check_nobody_is_named(tmp_path, processes=[process.pid])
    receiver.check()
    say(f"{kills} kills of the receiver: {len(receiver.acknowledged)} images acknowledged, all on the disk.")
