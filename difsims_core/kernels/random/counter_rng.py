"""Counter-based random numbers: (seed, pattern, purpose, index) → numbers, whatever was drawn before.

See docs/physics.md §8.

References
----------
J. K. Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC'11 (2011): Philox-4x32-10.
D. Blackman and S. Vigna, Scrambled linear pseudorandom number generators, ACM TOMS 47 (2021): xoshiro256++.
"""

from __future__ import annotations

import numpy as np

from difsims_core.kernels.compile import kernel

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_32, _11, _23, _41, _17, _45, _19 = (np.uint64(n) for n in (32, 11, 23, 41, 17, 45, 19))
_UNIT = 1.0 / 2**53


@kernel(inline=True)
def philox(seed, pattern, purpose, index):
    """Return two random 64-bit words of the counter (pattern, purpose, index) under the key ``seed``."""
    c0, c1 = np.uint64(pattern) & _LOW, np.uint64(pattern) >> _32
    c2, c3 = np.uint64(purpose), np.uint64(index)
    k0, k1 = np.uint64(seed) & _LOW, np.uint64(seed) >> _32
    for _ in range(10):
        p0, p1 = _M0 * c0, _M1 * c2
        c0, c1, c2, c3 = (p1 >> _32) ^ c1 ^ k0, p1 & _LOW, (p0 >> _32) ^ c3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return (c1 << _32) | c0, (c3 << _32) | c2


@kernel(inline=True)
def to_unit(word):
    """Return a 64-bit word as a double in [0, 1), 53 random bits."""
    return np.float64(word >> _11) * _UNIT


@kernel
def seed_stream(seed, pattern, purpose, state):
    """Start the stream of (seed, pattern, purpose): fill the four words of a xoshiro256++ ``state``."""
    state[0], state[1] = philox(seed, pattern, purpose, 0)
    state[2], state[3] = philox(seed, pattern, purpose, 1)


@kernel(inline=True)
def next_unit(state):
    """Return the next double in [0, 1) of a stream and advance it."""
    s0, s1, s2, s3 = state[0], state[1], state[2], state[3]
    total = s0 + s3
    word = ((total << _23) | (total >> _41)) + s0
    t = s1 << _17
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= t
    s3 = (s3 << _45) | (s3 >> _19)
    state[0], state[1], state[2], state[3] = s0, s1, s2, s3
    return to_unit(word)
