from ese_lstm.hw.verilog.inventory import MemoryShape, instances, memories

TEXT = """
module top(clk);
  input clk;
  wire [3:0] x;
  leaf a (
    .clk(clk)
  );
  leaf \\b.c  (
    .clk(clk)
  );
  middle m (
    .clk(clk)
  );
endmodule
module middle (clk);
  (* ram_style = "block" *)
  reg [15:0] words [1023:0];
  leaf inner (
    .clk(clk)
  );
endmodule
module leaf(clk);
  reg [7:0] plain;
  reg \\flags  [3:0];
endmodule
module unused(clk);
  reg [7:0] far [1:0];
endmodule
"""


def test_modules_are_counted_down_the_hierarchy() -> None:
    assert instances(TEXT, "top") == {"top": 1, "middle": 1, "leaf": 3}


def test_memories_have_shape_style_and_count() -> None:
    assert memories(TEXT, "top") == [
        MemoryShape("middle", "words", 1024, 16, "block", 1),
        MemoryShape("leaf", "flags", 4, 1, "auto", 3)]
