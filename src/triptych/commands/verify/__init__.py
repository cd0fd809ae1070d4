"""Verify: prove that the frameworks compute the same network, or name the first place
where they do not.
"""
