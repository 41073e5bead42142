"""What results are shown with: charts as SVG, parts of an HTML page."""
