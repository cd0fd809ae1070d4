"""When are two frameworks equal: what is asked of them, how far apart they may answer,
and the verdict.
"""
