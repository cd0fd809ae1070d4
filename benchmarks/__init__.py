"""What Triptych is measured by: `python -m benchmarks`, or `make bench`. No part of the
package.
"""
