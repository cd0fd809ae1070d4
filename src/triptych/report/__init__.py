"""What pages share: layout, plots, words, and the page of a certificate."""

CERTIFICATE = "certificate.html"
"""The page of a certificate, beside certificate.json."""
