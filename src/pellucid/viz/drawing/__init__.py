"""What figures are drawn with: canvas, fonts, panels, grids."""
