"""What the figures show, computed: no Matplotlib here."""
