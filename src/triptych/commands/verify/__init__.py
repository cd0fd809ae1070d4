"""Verify: prove that the frameworks compute the same network, or name the first place where they do not."""

from triptych.commands.verify.verification import Verification, verify, verify_again

__all__ = ["Verification", "verify", "verify_again"]
