"""Alpha Data ADM-PCIE-KU3, the Kintex UltraScale XCKU060 card. **Not tested on hardware.**

Pins from two public designs for this card, which agree where both name a pin:

- open-power/snap, ``hardware/setup/ADKU3``: ``snap_refclk200.xdc`` (clock), ``pinout.xdc``;
- slaclab/axi-pcie-core, ``hardware/AlphaDataKu3/xdc``: ``AlphaDataKu3Core.xdc`` (PCIe, PERST#,
  configuration voltage).

DDR3, QSFP and flash pins are left out: nothing here drives them.
"""

from typing import ClassVar

from amaranth.build import Attrs, Clock, Connector, DiffPairs, Pins, PinsN, Resource, Subsignal

from .board import Board

PCIE_LANES = 8
_TX_P, _TX_N = "AC4 AE4 AG4 AH6 AK6 AL4 AM6 AN4", "AC3 AE3 AG3 AH5 AK5 AL3 AM5 AN3"
_RX_P, _RX_N = "AB2 AD2 AF2 AH2 AJ4 AK2 AM2 AP2", "AB1 AD1 AF1 AH1 AJ3 AK1 AM1 AP1"


class ADMPCIEKU3Platform(Board):
    """ADM-PCIE-KU3 with ``xcku060-ffva1156-2-e``; Vivado only.

    Resources: ``clk200`` (200 MHz, LVDS with internal termination), ``perst`` (PCIe reset, low
    active, 1.8 V), ``pcie`` (lanes 0–7 and the 100 MHz reference clock: transceiver pins, which
    take no I/O standard and need a PCIe core). Flip-flops come out of configuration in their
    reset state; ``perst`` is no default reset, so a card on a bench without PCIe also runs.
    """

    title = "Alpha Data ADM-PCIE-KU3"
    pcie_lanes = PCIE_LANES
    sources = ("open-power/snap hardware/setup/ADKU3, "
               "slaclab/axi-pcie-core hardware/AlphaDataKu3/xdc")
    status = "pins and an out-of-context Vivado project; not tested on hardware"
    device = "xcku060"
    package = "ffva1156"
    speed = "2-e"
    default_clk = "clk200"
    resources: ClassVar[list[Resource]] = [
        Resource("clk200", 0, DiffPairs("W23", "W24", dir="i"), Clock(200e6),
                 Attrs(IOSTANDARD="LVDS", DIFF_TERM="TRUE")),
        Resource("perst", 0, PinsN("K22", dir="i"), Attrs(IOSTANDARD="LVCMOS18")),
        Resource("pcie", 0,
                 Subsignal("refclk_p", Pins("AB6", dir="i")),
                 Subsignal("refclk_n", Pins("AB5", dir="i")),
                 Subsignal("tx_p", Pins(_TX_P, dir="o")), Subsignal("tx_n", Pins(_TX_N, dir="o")),
                 Subsignal("rx_p", Pins(_RX_P, dir="i")), Subsignal("rx_n", Pins(_RX_N, dir="i"))),
    ]
    connectors: ClassVar[list[Connector]] = []
    configuration: ClassVar[dict[str, str]] = {"CFGBVS": "GND", "CONFIG_VOLTAGE": "1.8"}
