"""Stream management (XEP-0198) in bad hands: guessed sessions, questions without end, counts that cannot be."""
import threading

from slow import grown
from stage import Mismatch, Scene, drain, good_peer, read_until, to_proof

SM = "xmlns='urn:xmpp:sm:3'"
GUESSES = 3000
QUESTIONS = 200000
MOST = 16 * 1024  # KiB, with the 8 MiB of what was freed that the sanitizer keeps


def proved(daemon, number, sender="far.example"):
    channel = daemon.outside(number)
    to_proof(daemon, channel, sender)
    return channel


def enabled(daemon, number):
    channel = proved(daemon, number)
    channel.send(f"<enable {SM} resume='true'/>".encode())
    if b"resume=" in read_until(channel, b"<enabled"):
        raise Mismatch("a stream that may be resumed is offered")
    return channel


def guessed_sessions(daemon):
    """3,000 guesses at a session to be resumed: none is one, nothing is kept of them, the stream goes on (attack 116).
    rows: X0198-5-a"""
    hq = daemon.hq()
    other = enabled(daemon, 1)  # somebody's session there would be to steal
    channel = proved(daemon, 2, "thief.example")
    before = daemon.memory()
    guesses = "".join(f"<resume {SM} previd='{n:x}' h='{n}'/>" for n in range(GUESSES)).encode()
    sender = threading.Thread(target=channel.send, args=(guesses,), daemon=True)
    sender.start()
    answers = b""
    while answers.count(b"</failed>") < GUESSES:
        more = channel.receive()
        if not more:
            raise Mismatch(f"ended after {answers.count(b'</failed>')} answers")
        answers += more
    sender.join()
    if b"resumed" in answers or answers.count(b"<item-not-found") != GUESSES:
        raise Mismatch(f"answers: {answers[:300]!r}")
    grown(daemon, before, MOST)
    channel.send(f"<enable {SM}/>".encode())
    read_until(channel, b"<enabled")
    good_peer(daemon, hq, number=3)
    for each in (other, channel):
        each.close()
    daemon.settles(spare=1)


def questions_without_end(daemon):
    """200,000 <r/> as fast as they go, and the answers are not read: few are written, memory stays, others are served."""
    hq = daemon.hq()
    channel = enabled(daemon, 1)
    before = daemon.memory()
    sender = threading.Thread(target=channel.send, args=(f"<r {SM}/>".encode() * QUESTIONS,), daemon=True)
    sender.start()
    good_peer(daemon, hq, number=2)
    sender.join()
    channel.send(b"</stream:stream>")
    answers = drain(channel).count(b"<a ")
    if not 1 <= answers <= QUESTIONS // 20:
        raise Mismatch(f"{answers} answers to {QUESTIONS} questions")
    grown(daemon, before, MOST)
    channel.close()
    daemon.settles(spare=1)


def counts_that_cannot_be(daemon):
    """Acknowledgements of what was never sent, of nothing and of nonsense: each ends its own stream alone (attack 116).
    rows: X0198-6"""
    hq = daemon.hq()
    counts = ["999", "4294967295", "4294967296", "-1", "", "1e3", "0x1", "9" * 5000]
    for number, count in enumerate(counts):
        channel = enabled(daemon, number)
        channel.send(f"<a {SM} h='{count}'/>".encode())
        told = drain(channel)
        high = count in ("999", "4294967295")
        want = f"handled-count-too-high {SM} h='{count}' send-count='0'" if high else "bad-format"
        if want.encode() not in told:
            raise Mismatch(f"h='{count[:20]}': {told[-300:]!r}")
        channel.close()
    good_peer(daemon, hq, number=30)
    daemon.settles(spare=1)


def scene(**limits):
    return lambda: Scene(limits=limits)


ATTACKS = [(guessed_sessions, scene()), (questions_without_end, scene()), (counts_that_cannot_be, scene())]
