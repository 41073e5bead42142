"""The memory behind an AXI4 port, as what a proof may assume of it."""

from typing import Any

from amaranth.hdl import Array, Cat, Const, Mux, Signal

from .proof import Proof

BURSTS = 3
"""Places for bursts under way; one more than the proofs' masters may ask for."""


class Reads:
    """AR and R: answers in order, whole bursts; each beat's data are its address and the burst's
    tag, so that whoever gets them sees which they are.

    tag: of a burst that is asked for now. clear: the memory forgets. level: bursts under way.
    """

    def __init__(self, proof: Proof, ar: Any, r: Any, low: int, tag: Any, clear: Any = 0) -> None:
        m = proof.m
        request = Cat(ar.payload, tag)
        bursts = Array(Signal(len(request), name=f"memory_burst_{k}") for k in range(BURSTS))
        self.level = Signal(range(BURSTS + 1), name="memory_level")
        beat = Signal(8, name="memory_beat")
        length = len(ar.payload.length)
        first, last = bursts[0], Signal()
        address_bits = len(ar.payload.address)
        here = first[low:address_bits] + beat
        self.asked = ar.valid & ar.ready
        self.taken = r.valid & r.ready
        m.d.comb += last.eq(beat == first[address_bits:address_bits + length])
        ends = self.taken & last
        after = self.level - ends
        m.d.sync += [self.level.eq(Mux(clear, 0, after + self.asked)),
                     beat.eq(Mux(ends | clear, 0, beat + self.taken))]
        for k in range(BURSTS):
            following = bursts[k + 1] if k + 1 < BURSTS else 0
            m.d.sync += bursts[k].eq(Mux(self.asked & (after == k), request,
                                         Mux(ends, following, bursts[k])))
        offers, resp = proof.free("r_valid"), proof.free("r_resp", 2)
        stays = proof.past(r.valid & ~r.ready & ~clear)
        proof.assume("r_stays", ~stays | offers)
        proof.assume("r_resp_stays", ~stays | (resp == proof.past(resp)))
        m.d.comb += [r.valid.eq(offers & (self.level != 0)), r.payload.last.eq(last),
                     r.payload.resp.eq(resp),
                     r.payload.data.eq(Cat(here[:address_bits - low],
                                           first[address_bits + length:]))]


def bursts_fit(proof: Proof, port: Any, low: int, page_beats: int, most: int) -> None:
    """Claim that a burst is no longer than ``most`` beats and stays in its page."""
    begin = (port.payload.address >> low)[:(page_beats - 1).bit_length()]
    proof.claim("burst_in_page", ~port.valid | (begin + port.payload.length < page_beats))
    proof.claim("burst_length", ~port.valid | (port.payload.length < most))
    proof.claim("burst_aligned", ~port.valid
                | (port.payload.address[:low] == Const(0, low)))
