"""The guards of the protocol. Each can be taken away, to show that something breaks without it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Guards:
    """True: as the adapter does it."""

    finish_first: bool = True
    """A pending entry is finished before the next one is written over it."""
    compare_turn: bool = True
    """The commit point happens only if the head is the one that the preconditions were checked under."""
    known_outcome: bool = True
    """After a lost answer, a commit looks for its own token before it says that it failed."""
    acknowledge_last: bool = True
    """A commit returns after it was applied, not at its commit point."""
    pieces_first: bool = True
    """Pieces are written before the records that speak of them."""
    applied_last: bool = True
    """`applied` moves when everything is in its place."""
    newer_stays: bool = True
    """A record is not replaced by an older one."""
    reserve: bool = True
    """A run is reserved before the commit point, so that two trees cannot both make it."""
    runs_first: bool = True
    """Runs are reserved before anything that belongs to them is looked at, which stays as it is from then on."""
    reserve_again: bool = True
    """A reservation that an earlier attempt of the same tree left is renewed before it is relied on."""
    exact_reservation: bool = True
    """A reservation is taken over only if it still is the one that was looked at."""
    fence: bool = True
    """Before a reservation of another tree is taken over, that tree's head moves on, which stops the attempt that made it."""
    tombstones: bool = True
    """A purge leaves each record's place taken, so that one who comes late does not make it again."""
    claims: bool = True
    """The place that a purge left is taken before it is relied on, so that no other tree takes it."""
    lives: bool = True
    """The pieces of a stream that was purged and made again have other keys."""
    floors: bool = True
    """Readers ignore rows below the floor of a trimmed journal."""
    compact_by_head: bool = True
    """Compaction is an entry of the head like any other change."""
    first_as_merged: bool = True
    """The first piece is replaced only if it still ends where the merge began from."""
    skip_covered: bool = True
    """Readers skip pieces that a wider one covers."""
    ask_again: bool = True
    """Readers that find a hole look again."""
    purge_older: bool = True
    """A purge deletes only what is older than itself."""
    positions_settled: bool = True
    """Who reads a writer's position finishes what it may be of."""
    hints_last: bool = True
    """Hints are given after the records are in their place."""
    hints_before_applied: bool = True
    """Hints are given while the entry is pending, so that they cannot get lost."""
    flush_first: bool = True
    """The feed's tail is shortened after its hints were written to documents of their own."""
    newer_hint_stays: bool = True
    """The document of a run's hint is not replaced by one of a lower number."""
