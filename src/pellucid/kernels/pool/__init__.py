"""Threads, and the work they share."""
