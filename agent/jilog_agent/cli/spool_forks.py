"""``jilog spool forks``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from jilog_agent.cli.lazy import JilogCommand
from jilog_agent.cli.options import json_option, zone_option
from jilog_agent.cli.output import print_json, print_line, print_table
from jilog_agent.cli.session import open_workspace
from jilog_ledger.errors import InputError
from jilog_ledger.event import JsonValue

if TYPE_CHECKING:
    from jilog_ledger.fork import ForkProof


@click.command(
    "forks",
    cls=JilogCommand,
    examples=(
        "jilog spool forks",
        "jilog spool forks --out proofs --json",
        "jilog spool forks --check proofs/laptop.0f….fork",
    ),
)
@click.option("--out", metavar="DIR", help="Write each proof into this folder, as a file of its own.")
@click.option("--check", metavar="FILE", help="Check a proof's file; needs no ledger and no network.")
@zone_option
@json_option
def forks(*, out: str | None, check: str | None, zone: str | None, as_json: bool) -> None:
    """List the writers that have two histories, and hand out the proof.

    Two heads that one key signed and that cannot both be true: anybody can check them with --check.
    Nothing has to be done about a fork: both histories are kept, and the live one goes on under a new epoch.
    """
    if check is not None:
        if out is not None or zone is not None:
            raise InputError("--check stands alone", hint="see: jilog spool forks --help")
        _check(Path(check), as_json=as_json)
        return
    workspace = open_workspace()
    identity = workspace.identity()
    with workspace.zones(zone, identity) as ledgers:
        proofs = [proof for ledger in ledgers for proof in ledger.shared.fork_proofs()]
    files = [_write(Path(out), proof) for proof in proofs] if out is not None else [None] * len(proofs)
    if as_json:
        listed = zip(proofs, files, strict=True)
        print_json({"forks": [{**_document(proof), "file": file} for proof, file in listed]})
        return
    if not proofs:
        print_line("no writer has two histories")
        return
    rows = [
        (proof.zone, proof.writer.source, proof.writer.epoch, str(proof.number), file or "-")
        for proof, file in zip(proofs, files, strict=True)
    ]
    print_table(("ZONE", "SOURCE", "EPOCH", "SEGMENT", "PROOF"), rows)


def _check(path: Path, *, as_json: bool) -> None:
    """Check a proof.

    Raises:
        InputError: the file cannot be read, or is too large for a proof.
        IntegrityError: it proves nothing.
    """
    from jilog_ledger.fork import PROOF_BYTES_MAX, decode_proof

    try:
        # Limits before parsers: a proof is two segments at most.
        with path.open("rb") as file:
            data = file.read(PROOF_BYTES_MAX + 1)
    except OSError as exc:
        raise InputError(f"cannot read {path}: {exc.strerror}", hint="see: jilog spool forks --help") from exc
    if len(data) > PROOF_BYTES_MAX:
        raise InputError(f"{path} is larger than any proof", hint=f"{PROOF_BYTES_MAX} bytes are allowed")
    proof = decode_proof(data)
    proof.verify()
    if as_json:
        print_json({"proved": True, **_document(proof)})
        return
    print_line(
        f"proved: {proof.writer} of zone {proof.zone} has two histories from segment {proof.number} on"
    )
    print_line(f"  signed with {proof.public_key.hex()}")
    for evidence in (proof.first, proof.second):
        head = evidence.signed.head
        print_line(f"  sequence {head.last_sequence}, byte {head.length}: {head.sha256.hex()}")


def _write(folder: Path, proof: ForkProof) -> str:
    """Write one proof; the same one again is the same file."""
    from jilog_ledger.disk import RealDisk

    disk, path = RealDisk(), folder / proof.file_name
    disk.make_directory(folder)
    disk.replace(path, proof.encode())
    return str(path)


def _document(proof: ForkProof) -> dict[str, JsonValue]:
    return {
        "zone": proof.zone,
        "source": proof.writer.source,
        "epoch": proof.writer.epoch,
        "segment": proof.number,
        "public_key": proof.public_key.hex(),
        "heads": [
            {
                "last_sequence": evidence.signed.head.last_sequence,
                "length": evidence.signed.head.length,
                "sha256": evidence.signed.head.sha256.hex(),
                "sealed": evidence.signed.head.sealed,
            }
            for evidence in (proof.first, proof.second)
        ],
    }
