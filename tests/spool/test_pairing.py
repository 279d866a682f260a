"""Pairing: what a code admits and what it does not, whoever is in between, and whatever bytes come."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jilog_ledger.errors import InputError, PeerError
from jilog_spool import limits
from jilog_spool.errors import ConnectionLost, ProtocolError
from jilog_spool.pairing import Introduced, Me, Pairing, PeerStored
from jilog_spool.pairing_code import ALPHABET, CodeState, Invitation, PairingCode
from jilog_spool.pairing_errors import PairingFailed
from jilog_spool.pairing_net import NotWanted, PairingServer, Storing, Unreachable, join
from jilog_spool.pairing_wire import MAGIC, Frames, Hello, Sealed, Sorry, encode
from support.spool_fleet import key_of

CODE = PairingCode.parse("k7-4f9-q2m")
DEADLINE_SECONDS = 60


def me(name: str, port: int = 0) -> Me:
    key = key_of(name)
    return Me(name, key.public_key, key.sign, port)


def entropy(seed: int) -> Callable[[int], bytes]:
    return random.Random(seed).randbytes


class Talk:
    """A joining and an inviting side over a wire that a test may tamper with."""

    def __init__(self, typed: PairingCode = CODE, invitation: Invitation | None = None) -> None:
        self.now = 0.0
        self.invitation = invitation or Invitation(CODE, 0.0)
        self.joining = Pairing.join(me("alpha", 22), typed, entropy=entropy(1))
        self.inviting = Pairing.invite(
            me("beta", 7722), self.invitation, lambda: self.now, entropy=entropy(2)
        )
        self.error: dict[str, PeerError] = {}

    def carry(self, forth: Callable[[bytes], bytes] = bytes, back: Callable[[bytes], bytes] = bytes) -> None:
        """Bring what is waiting to the other side, until nothing moves."""
        while True:
            there, here = self.joining.data_to_send(), self.inviting.data_to_send()
            if not there and not here:
                return
            self._give("inviting", self.inviting, forth(there))
            self._give("joining", self.joining, back(here))

    def _give(self, name: str, side: Pairing, data: bytes) -> None:
        try:
            if name not in self.error:
                side.receive_data(data)
        except PeerError as exc:
            self.error[name] = exc

    def introduced(self) -> tuple[Introduced | None, Introduced | None]:
        """Let both prove themselves; give whom the joining and whom the inviting side met."""
        self.carry()
        at_inviting = self.inviting.next_event()
        if at_inviting is None:
            return None, None
        self.inviting.accept()
        self.carry()
        at_joining = self.joining.next_event()
        assert isinstance(at_inviting, Introduced)
        assert isinstance(at_joining, Introduced)
        return at_joining, at_inviting


def reason(error: PeerError) -> str:
    assert isinstance(error, PairingFailed), error
    return error.reason


def test_one_code_on_both_hosts_proves_name_key_and_port_to_each() -> None:
    talk = Talk()

    at_joining, at_inviting = talk.introduced()
    talk.joining.accept()
    talk.carry()
    stored = talk.inviting.next_event()
    talk.inviting.accept()
    talk.carry()

    assert at_joining == Introduced("beta", key_of("beta").public_key, 7722)
    assert at_inviting == Introduced("alpha", key_of("alpha").public_key, 22)
    assert stored == talk.joining.next_event() == PeerStored()
    assert talk.joining.finished
    assert talk.inviting.finished


@pytest.mark.parametrize("typed", ["K7-4F9-Q2M", "k74f9q2m", "k7 4f9 q2m"])
def test_a_code_is_read_as_people_type_it(typed: str) -> None:
    assert PairingCode.parse(typed) == CODE
    assert PairingCode.parse("oI-Lo0-111") == PairingCode("01", "100111")


@pytest.mark.parametrize("typed", ["", "k7-4f9", "k7-4f9-q2m-9", "k7-4f9-q2u", "k7-4f9-q2é", "k" * 10_000])
def test_what_cannot_be_a_code_is_refused_with_the_next_command(typed: str) -> None:
    with pytest.raises(InputError, match="no pairing code") as caught:
        PairingCode.parse(typed)

    assert "jilog peer pair" in (caught.value.hint or "")


def test_drawn_codes_use_the_whole_alphabet_and_show_no_secret_in_their_representation() -> None:
    codes = [PairingCode.draw() for _ in range(400)]

    assert {char for code in codes for char in code.public + code.secret} == set(ALPHABET)
    assert all(PairingCode.parse(str(code)) == code for code in codes)
    assert not any(code.secret in repr(code) for code in codes)


def test_wrong_code_is_told_to_both_and_counted() -> None:
    talk = Talk(replace(CODE, secret="000000"))

    assert talk.introduced() == (None, None)

    assert reason(talk.error["inviting"]) == reason(talk.error["joining"]) == "wrong_code"
    assert "2 more wrong tries end it" in talk.error["joining"].message
    assert talk.invitation.wrong == 1


def test_code_dies_after_three_wrong_tries_even_for_who_has_it() -> None:
    invitation = Invitation(CODE, 0.0)
    for number in range(limits.PAIRING_WRONG_TRIES_MAX):
        Talk(replace(CODE, secret=f"00000{number}"), invitation).introduced()

    late = Talk(CODE, invitation)

    assert late.introduced() == (None, None)
    assert reason(late.error["joining"]) == "wrong_tries"


def test_conversations_that_are_open_at_one_time_have_three_guesses_together() -> None:
    invitation = Invitation(CODE, 0.0)
    talks = [Talk(replace(CODE, secret=f"0000{number:02}"), invitation) for number in range(10)]
    for talk in talks:  # all hellos are exchanged before the first proof
        talk.inviting.receive_data(talk.joining.data_to_send())
    talks.append(Talk(CODE, invitation))
    talks[-1].inviting.receive_data(talks[-1].joining.data_to_send())

    outcomes = []
    for talk in talks:
        talk.carry()
        outcomes.append(reason(talk.error["inviting"]))

    assert outcomes == ["wrong_code"] * 3 + ["wrong_tries"] * 8


@pytest.mark.parametrize(
    ("prepare", "expected"),
    [
        (lambda talk: setattr(talk, "now", limits.PAIRING_CODE_SECONDS), "expired"),
        (lambda talk: talk.invitation.use(), "used"),
        (lambda talk: setattr(talk.invitation, "attempts", limits.PAIRING_ATTEMPTS_MAX), "too_many"),
    ],
)
def test_dead_code_is_told_before_anything_that_depends_on_it(
    prepare: Callable[[Talk], None], expected: str
) -> None:
    talk = Talk()
    prepare(talk)

    sent: list[bytes] = []
    talk.carry(back=lambda data: sent.append(data) or data)  # type: ignore[func-returns-value]

    assert reason(talk.error["joining"]) == expected
    (only,) = Frames().feed(b"".join(sent))
    assert isinstance(only[0], Sorry)


def test_code_that_expires_between_hello_and_proof_is_dead() -> None:
    talk = Talk()
    talk.inviting.receive_data(talk.joining.data_to_send())
    talk.now = limits.PAIRING_CODE_SECONDS + 1

    talk.carry()

    assert reason(talk.error["joining"]) == "expired"


def test_host_that_shows_another_code_says_so_and_no_try_is_lost() -> None:
    talk = Talk(replace(CODE, public="zz"))

    talk.introduced()

    assert reason(talk.error["joining"]) == "other_code"
    assert talk.invitation.wrong == 0


def test_host_that_is_paired_with_itself_says_so() -> None:
    invitation = Invitation(CODE, 0.0)
    talk = Talk(CODE, invitation)
    talk.joining = Pairing.join(me("beta"), CODE)

    talk.carry()

    assert reason(talk.error["inviting"]) == "own_key"


class Swapper:
    """One direction through an attacker in between, who passes all on with another key in the hello."""

    def __init__(self) -> None:
        self.frames = Frames()
        self.begun = False
        self.swapped = 0

    def __call__(self, data: bytes) -> bytes:
        out = b"" if self.begun or not data else MAGIC
        self.begun = self.begun or bool(data)
        for message, _ in self.frames.feed(data):
            if not isinstance(message, Hello):
                out += encode(message)
                continue
            self.swapped += 1
            out += encode(msgspec.structs.replace(message, public_key=key_of("mallory").public_key))
        return out


@pytest.mark.parametrize("swapped", ["forth", "back"])
def test_relay_that_swaps_a_key_is_noticed_by_the_side_it_deceives(swapped: str) -> None:
    talk = Talk()
    swapper = Swapper()

    talk.carry(**{swapped: swapper})

    assert swapper.swapped == 1
    assert talk.inviting.next_event() is None
    assert talk.joining.next_event() is None
    assert reason(talk.error["inviting"]) == "wrong_code"


def test_relay_with_two_conversations_of_its_own_gets_one_guess_at_each_side() -> None:
    honest = Talk()
    guess = replace(CODE, secret="000000")
    to_inviting = Pairing.join(me("mallory"), guess)
    to_joining = Pairing.invite(me("mallory"), Invitation(guess, 0.0), lambda: 0.0)

    to_joining.receive_data(honest.joining.data_to_send())
    honest.joining.receive_data(to_joining.data_to_send())
    with pytest.raises(PairingFailed, match="wrong code"):
        to_joining.receive_data(honest.joining.data_to_send())
    honest.inviting.receive_data(to_inviting.data_to_send())
    to_inviting.receive_data(honest.inviting.data_to_send())
    with pytest.raises(PairingFailed, match="wrong code"):
        honest.inviting.receive_data(to_inviting.data_to_send())

    assert honest.joining.next_event() is honest.inviting.next_event() is None


def test_key_of_somebody_else_cannot_be_introduced_even_with_the_code() -> None:
    talk = Talk()
    talk.joining = Pairing.join(
        Me("alpha", key_of("victim").public_key, key_of("alpha").sign), CODE, entropy=entropy(1)
    )

    talk.carry()

    assert "does not have the key that it shows" in talk.error["inviting"].message
    assert talk.inviting.next_event() is None


def test_seal_of_one_side_sent_back_to_it_is_refused() -> None:
    talk = Talk()
    seals: list[bytes] = []

    def reflect(data: bytes) -> bytes:
        if data and not data.startswith(MAGIC):
            seals.append(data)
            return b""
        return data

    talk.carry(forth=reflect)
    talk.joining.receive_data(b"")
    with pytest.raises(PairingFailed) as caught:
        talk.joining.receive_data(seals[0])

    assert caught.value.reason == "wrong_code"


def test_who_says_no_is_heard_with_the_reason() -> None:
    talk = Talk()
    talk.carry()
    assert isinstance(talk.inviting.next_event(), Introduced)

    talk.inviting.decline("key_changed")
    talk.carry()

    assert reason(talk.error["joining"]) == "key_changed"


def test_end_in_the_middle_is_told_with_what_it_leaves() -> None:
    early, late = Talk(), Talk()
    early.carry()
    late.introduced()
    late.joining.accept()
    late.joining.data_to_send()

    with pytest.raises(ConnectionLost, match="in the middle of pairing"):
        early.inviting.receive_eof()
    with pytest.raises(ConnectionLost, match="before it said that it took this one as a peer"):
        late.joining.receive_eof()


def test_nothing_that_is_said_depends_on_the_code_in_a_way_that_can_be_tested() -> None:
    """An attacker who plays the joining side gets only the inviting hello, whatever the code.

    The share hides the code: for each other code there is randomness that would have made the same share. So
    what can be shown is that nothing else comes before the proof.
    """
    for secret in ("4f9q2m", "000000"):
        invitation = Invitation(replace(CODE, secret=secret), 0.0)
        inviting = Pairing.invite(me("beta"), invitation, lambda: 0.0)
        inviting.receive_data(Pairing.join(me("mallory"), CODE).data_to_send())
        said = Frames().feed(inviting.data_to_send())
        assert [type(message) for message, _ in said] == [Hello]


# Parser and state machine, under any bytes


@given(st.lists(st.binary(max_size=700), max_size=6))
def test_any_bytes_are_pairing_or_one_error(pieces: list[bytes]) -> None:
    for start in (b"", MAGIC):
        pairing = Pairing.invite(me("beta"), Invitation(CODE, 0.0), lambda: 0.0)
        errors = []
        try:
            for piece in (start, *pieces):
                pairing.receive_data(piece)
        except PeerError as exc:
            errors.append(exc)
        assert all(error.message.isprintable() for error in errors)
        assert pairing.finished == bool(errors)
        assert pairing.next_event() is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.binary(max_size=80),
        lambda inner: st.lists(inner, max_size=6),
        max_leaves=12,
    )
)
def test_any_value_in_a_frame_is_a_message_or_one_error(value: object) -> None:
    body = msgspec.msgpack.encode(value)[:500]

    try:
        found = Frames().feed(MAGIC + len(body).to_bytes(2, "big") + body)
    except ProtocolError:
        return

    assert all(isinstance(message, Hello | Sealed | Sorry) for message, _ in found)


@given(st.data())
@settings(max_examples=60)
def test_every_flipped_bit_of_a_conversation_stops_it(data: st.DataObject) -> None:
    talk = Talk()
    position = data.draw(st.integers(0, 400))
    direction = data.draw(st.sampled_from(["forth", "back"]))
    bit = 1 << data.draw(st.integers(0, 7))
    count = itertools.count()
    changed = []

    def flip(piece: bytes) -> bytes:
        out = bytearray(piece)
        for index in range(len(out)):
            if next(count) == position:
                out[index] ^= bit
                changed.append(index)
        return bytes(out)

    talk.carry(**{direction: flip})
    if talk.inviting.next_event() is not None:
        talk.inviting.accept()
        talk.carry(**{direction: flip})
        both = talk.joining.next_event() is not None
    else:
        both = False

    assert both != bool(changed)


@given(st.integers(1, 40))
@settings(max_examples=25)
def test_messages_survive_any_cut_into_pieces(size: int) -> None:
    hello = Pairing.join(me("alpha"), CODE).data_to_send()
    frames = Frames()

    found = [item for at in range(0, len(hello), size) for item in frames.feed(hello[at : at + size])]

    assert [type(message) for message, _ in found] == [Hello]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "does not speak jilog's pairing"),
        (MAGIC + b"\xff\xff", "announced a pairing message of 65535 bytes"),
        (MAGIC + b"\x00\x00", "announced a pairing message of 0 bytes"),
        (MAGIC + b"\x00\x01\xc0", "is no pairing message"),
        (MAGIC + encode(Sorry("used")) * 5, "more pairing messages than there are"),
    ],
)
def test_bytes_past_a_limit_are_refused_with_what_they_were(data: bytes, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        Frames().feed(data)


# Over TCP


class Book:
    """What one host stores."""

    def __init__(self, unwanted: NotWanted | None = None) -> None:
        self.met: list[tuple[str, bytes]] = []
        self.unwanted = unwanted

    def check(self, _found: Introduced, _address: str) -> None:
        if self.unwanted is not None:
            raise self.unwanted

    def store(self, found: Introduced, _address: str) -> None:
        self.met.append((found.source, found.public_key))

    @property
    def storing(self) -> Storing:
        return Storing(self.check, self.store)


class Told:
    """What the inviting side hears of failed tries."""

    def __init__(self) -> None:
        self.errors: list[PeerError] = []

    def __call__(self, _address: str, error: PeerError) -> None:
        self.errors.append(error)


async def start(book: Book, invitation: Invitation, told: Told, clock: Callable[[], float]) -> PairingServer:
    return await PairingServer.start(
        me("beta"), invitation, book.storing, host="127.0.0.1", port=0, told=told, clock=clock
    )


def run(action: Callable[[], object]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await action()  # type: ignore[misc]

    asyncio.run(bounded())


def test_both_hosts_store_each_other_over_tcp() -> None:
    alpha, beta = Book(), Book()

    async def play() -> None:
        async with await start(beta, Invitation(CODE, 0.0), Told(), lambda: 0.0) as server:
            waiting = asyncio.create_task(server.paired())
            await join(me("alpha"), CODE, "127.0.0.1", server.port, alpha.storing)
            assert (await waiting).source == "alpha"

    run(play)

    assert alpha.met == [("beta", key_of("beta").public_key)]
    assert beta.met == [("alpha", key_of("alpha").public_key)]


def test_guessing_over_tcp_ends_with_the_code() -> None:
    beta, told = Book(), Told()
    outcomes = []

    async def play() -> None:
        async with await start(beta, Invitation(CODE, 0.0), told, lambda: 0.0) as server:
            for number in range(limits.PAIRING_WRONG_TRIES_MAX):
                wrong = replace(CODE, secret=f"00000{number}")
                with pytest.raises(PairingFailed) as caught:
                    await join(me("mallory"), wrong, "127.0.0.1", server.port, Book().storing)
                outcomes.append(caught.value.reason)
            with pytest.raises(PairingFailed) as caught:
                await server.paired()
            outcomes.append(caught.value.reason)

    run(play)

    assert outcomes == ["wrong_code"] * 3 + ["wrong_tries"]
    assert beta.met == []
    assert [reason(error) for error in told.errors] == ["wrong_code"] * 3


def test_relay_that_swaps_keys_over_tcp_gets_nobody_stored() -> None:
    alpha, beta, told = Book(), Book(), Told()

    async def play() -> None:
        async with await start(beta, Invitation(CODE, 0.0), told, lambda: 0.0) as server:

            async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                to, back = await asyncio.open_connection("127.0.0.1", server.port)

                async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
                    swapper = Swapper()
                    while data := await source.read(4096):
                        target.write(swapper(data))
                        await target.drain()
                    target.close()

                await asyncio.gather(pump(reader, back), pump(to, writer), return_exceptions=True)

            between = await asyncio.start_server(relay, "127.0.0.1", 0)
            async with between:
                port = between.sockets[0].getsockname()[1]
                with pytest.raises(PairingFailed, match="somebody is in between") as caught:
                    await join(me("alpha"), CODE, "127.0.0.1", port, alpha.storing)
                assert caught.value.reason == "wrong_code"

    run(play)

    assert alpha.met == beta.met == []
    assert [reason(error) for error in told.errors] == ["wrong_code"]


def test_host_that_is_not_wanted_is_told_why_and_stores_nothing() -> None:
    alpha, beta = Book(), Book(NotWanted("key_changed", "peer alpha is known with another key"))

    async def play() -> None:
        async with await start(beta, Invitation(CODE, 0.0), Told(), lambda: 0.0) as server:
            waiting = asyncio.create_task(server.paired())
            with pytest.raises(PairingFailed) as caught:
                await join(me("alpha"), CODE, "127.0.0.1", server.port, alpha.storing)
            assert caught.value.reason == "key_changed"
            with pytest.raises(NotWanted, match="known with another key"):
                await waiting

    run(play)

    assert alpha.met == beta.met == []


def test_more_connections_than_are_allowed_are_closed_and_the_right_one_comes_through_later() -> None:
    alpha, beta = Book(), Book()

    async def play() -> None:
        async with await start(beta, Invitation(CODE, 0.0), Told(), lambda: 0.0) as server:
            waiting = asyncio.create_task(server.paired())
            held = [
                await asyncio.open_connection("127.0.0.1", server.port)
                for _ in range(limits.PAIRING_CONNECTIONS_MAX)
            ]
            await asyncio.gather(*(reader.readexactly(0) for reader, _ in held))
            refused, writer = await asyncio.open_connection("127.0.0.1", server.port)
            with contextlib.suppress(ConnectionResetError):
                assert await refused.read() == b""
            writer.close()
            for _, other in held:
                other.close()
            while True:
                try:
                    await join(me("alpha"), CODE, "127.0.0.1", server.port, alpha.storing)
                except ConnectionLost:
                    continue  # the slots are given back one by one
                break
            await waiting

    run(play)

    assert len(alpha.met) == len(beta.met) == 1


def test_code_that_nobody_used_expires() -> None:
    now = [0.0]

    async def play() -> None:
        invitation = Invitation(CODE, 0.0, seconds=5.0)
        async with await start(Book(), invitation, Told(), lambda: now[0]) as server:
            now[0] = 6.0
            with pytest.raises(PairingFailed, match="expired"):
                await server.paired()

    run(play)

    assert Invitation(CODE, 0.0, seconds=1e9).state(limits.PAIRING_CODE_SECONDS) is CodeState.EXPIRED


def test_nobody_there_is_told_apart_from_a_wrong_code() -> None:
    async def play() -> None:
        async with await start(Book(), Invitation(CODE, 0.0), Told(), lambda: 0.0) as server:
            port = server.port
        with pytest.raises(Unreachable, match="cannot reach"):
            await join(me("alpha"), CODE, "127.0.0.1", port, Book().storing)

    run(play)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", MAGIC])
def test_other_side_that_goes_away_or_is_something_else_is_told(said: bytes) -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()
        writer.close()

    async def play() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(PeerError) as caught:
                await join(me("alpha"), CODE, "127.0.0.1", port, Book().storing)
            assert caught.value.hint

    run(play)
