// Loads and runs an engine in a simulator with X and Z; prints every word that leaves it.
`timescale 1ns / 1ns
module bench;
  reg clk = 0, rst = 1, run = 0, load_valid = 0, frame_valid = 0;
  reg [`LOAD_BITS-1:0] beats [0:`BEATS-1];
  reg [`FRAME_BITS-1:0] words [0:`WORDS-1];
  integer beat = 0, word = 0, outputs = 0, cycles = 0;
  wire load_ready, idle, frame_ready, out_valid, error, cell_valid, result_valid;
  wire [`OUT_BITS-1:0] out;
  wire [`CELL_BITS-1:0] cell_values;
  wire [`RESULT_BITS-1:0] result_values;
  wire [`CELL_ADDRESS_BITS-1:0] cell_address;
  wire [`RESULT_ADDRESS_BITS-1:0] result_address;

  ese_engine dut (
    .clk(clk), .rst(rst), .run(run), .idle(idle), .frame_error(error),
    .load__payload(load_valid ? beats[beat] : {`LOAD_BITS{1'bx}}),
    .load__valid(load_valid), .load__ready(load_ready),
    .frame_in__payload(frame_valid ? words[word] : {`FRAME_BITS{1'bx}}),
    .frame_in__valid(frame_valid), .frame_in__ready(frame_ready),
    .frame_out__payload(out), .frame_out__valid(out_valid), .frame_out__ready(1'b1),
    .trace_cell__valid(cell_valid), .trace_cell__address(cell_address),
    .trace_cell__values(cell_values), .trace_result__valid(result_valid),
    .trace_result__address(result_address), .trace_result__values(result_values));

  always #5 clk = ~clk;

  // Inputs change after a rising edge; what the next one acts on is read at the falling edge.
  always @(posedge clk) #1 begin
    load_valid = !rst && beat < `BEATS;
    frame_valid = run && word < `WORDS;
  end

  always @(negedge clk) begin
    cycles = cycles + 1;
    if (cycles == 4) rst <= 0;
    if (cycles > 4) begin
      if ((^{load_ready, idle, frame_ready, out_valid, error, cell_valid, result_valid}) === 1'bx)
      begin
        $display("undefined at cycle %0d: load %b idle %b in %b out %b error %b cell %b result %b",
                 cycles, load_ready, idle, frame_ready, out_valid, error, cell_valid, result_valid);
        $finish;
      end
      if (cell_valid) $display("cell %b %b", cell_address, cell_values);
      if (result_valid) $display("result %b %b", result_address, result_values);
      if (out_valid) begin
        $display("output %b", out);
        outputs = outputs + 1;
      end
    end
    if (outputs == `OUTPUTS) begin
      $display("done");
      $finish;
    end
    if (cycles == `PATIENCE) begin
      $display("stuck: %0d beats, %0d words, %0d outputs", beat, word, outputs);
      $finish;
    end
  end

  always @(posedge clk) begin
    if (load_valid && load_ready) beat <= beat + 1;
    if (frame_valid && frame_ready) word <= word + 1;
    if (beat == `BEATS && idle) run <= 1;
  end

  initial begin
    $readmemh("beats.hex", beats);
    $readmemh("words.hex", words);
  end
endmodule
