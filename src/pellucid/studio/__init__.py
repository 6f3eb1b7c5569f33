"""The studio: a page on which any network is drawn for, clicked through, trained and explained.

A page asks questions (`questions/`) about a network that is `Opened`, and gets numbers; the local
server, a notebook and a single HTML file differ only in how a question travels.
"""
