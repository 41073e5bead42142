"""The memory behind an AXI4 port, as what a proof may assume of it."""

from typing import Any

from amaranth.hdl import Array, Cat, Const, Mux, Signal
from amaranth.lib import data

from .proof import Proof

BURSTS = 3
"""Places for bursts under way; one more than the proofs' masters may ask for."""

WRITES_AHEAD = 2
"""Bursts asked for whose W the memory has not taken, at most."""


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


class Writes:
    """AW, W and B: whole bursts, W before its AW or after it, an answer for each in order.

    clear: the memory forgets. level: bursts asked for whose last beat of W has not come, the
    oldest of them ``of_burst`` with the burst asked for in this cycle. begun: a burst's W has come
    before its AW. beat: of W, in its burst. owed: bursts to answer.
    """

    def __init__(self, proof: Proof, aw: Any, w: Any, b: Any, *, clear: Any = 0) -> None:
        m, request = proof.m, aw.payload.as_value()
        self.asked, self.came = aw.valid & aw.ready, w.valid & w.ready
        self.level = Signal(range(WRITES_AHEAD + 2), name="aw_before_w")
        self.begun, self.beat = Signal(name="w_before_aw"), Signal(8, name="memory_w_beat")
        bursts = [Signal(len(request), name=f"memory_aw_{k}") for k in range(WRITES_AHEAD)]
        self.of_burst = data.View(aw.payload.shape(),
                                  Mux(self.level == 0, request, bursts[0]))
        self.ends = self.came & w.payload.last
        first = self.ends & (self.level == 0)
        pops, pushes = self.ends & (self.level != 0), self.asked & ~self.begun & ~first
        after = self.level - pops
        m.d.sync += [
            self.level.eq(Mux(clear, 0, after + pushes)),
            self.begun.eq((self.begun | first) & ~self.asked & ~clear),
            self.beat.eq(Mux(self.ends | clear, 0, self.beat + self.came))]
        for k, (burst, following) in enumerate(zip(bursts, [*bursts[1:], 0], strict=True)):
            m.d.sync += burst.eq(Mux(pushes & (after == k), request,
                                     Mux(pops, following, burst)))
        self.owed = Signal(5, name="owed")
        offers = proof.free("b_valid")
        answers = offers & (self.owed != 0)
        self.answered = answers & b.ready
        done = pops | (self.asked & (self.begun | first))
        m.d.sync += self.owed.eq(Mux(clear, 0, self.owed + done - self.answered))
        proof.assume("b_stays", ~proof.past(answers & ~b.ready & ~clear) | answers)
        m.d.comb += [b.valid.eq(answers), b.payload.resp.eq(proof.free("b_resp", 2))]
        proof.claim("w_last", ~w.valid | (w.payload.last == (self.beat == self.of_burst.length)))
        proof.claim("w_has_its_aw", ~w.valid | (self.level != 0) | (aw.valid & ~self.begun))
        proof.claim("aw_ahead", ~pushes | (after < WRITES_AHEAD))
