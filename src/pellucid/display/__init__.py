"""What pages, notebooks and terminals show: HTML tables, SVG charts, pictures, and news."""
