"""What the CIF files must say and what must follow: values of the sources, Wyckoff positions, powder lines."""

import numpy as np

# Cells in Å, α = β = 90°; γ in degrees.
CELLS = {
    "cubic_fapbi_scaled": (6.30, 6.30, 6.30, 90),
    "p4mbm_scaled_mixed_halide": (8.91, 8.91, 6.30, 90),
    "p4mbm_tetragonal": (9.00, 9.00, 6.36, 90),
    "pnma_TD_adjust_orthorhombic": (8.93, 12.72, 8.90, 90),
    "gratia_2h": (8.6667, 8.6667, 7.9077, 120),
    "gratia_4h": (8.8136, 8.8136, 15.2076, 120),
    "gratia_6h": (8.8436, 8.8436, 22.4524, 120),
    "pbi2_2h": (4.555, 4.555, 6.977, 120),
    "pbi2_4h": (4.557, 4.557, 13.958, 120),
    "pbi2": (4.557, 4.557, 13.958, 120),
    "pbi2_6h": (4.67131047, 4.67131047, 29.67834133, 120),
    "pbbr2": (8.059, 9.540, 4.7319, 90),
    "pb": (4.95, 4.95, 4.95, 90),
}

# Wyckoff positions by element, "4f*0.5" being a position occupied by half; the multiplicities give the atom count.
P4MBM = {"Pb": "2a", "I": "2b 4g", "C": "2c"}
PBI2_4H = {"Pb": "2b", "I": "2b 2a"}
WYCKOFF = {
    "cubic_fapbi_scaled": {"Pb": "1a", "I": "1a " * 3, "C": "1a", "N": "1a " * 2, "H": "1a " * 5},
    "p4mbm_scaled_mixed_halide": P4MBM,
    "p4mbm_tetragonal": P4MBM,
    "pnma_TD_adjust_orthorhombic": {"Pb": "4b", "I": "4c 8d", "C": "4c", "N": "4c"},
    "gratia_2h": {"Pb": "2a", "I": "6h", "C": "2d", "N": "12k*0.3332"},
    "gratia_4h": {"Pb": "4f", "I": "6g*0.723 6h*0.932", "Br": "6g*0.277 6h*0.068", "C": "2a 2d", "N": "4e 4f"},
    "gratia_6h": {
        "Pb": "2a 4f",
        "I": "6h*0.966 12k*0.762",
        "Br": "6h*0.034 12k*0.238",
        "C": "24l*0.0833 24l*0.1666",
        "N": "24l*0.1667 24l*0.1667 24l*0.1666 24l*0.1666",
    },
    "pbi2_2h": {"Pb": "1a", "I": "2d"},
    "pbi2_4h": PBI2_4H,
    "pbi2": PBI2_4H,
    "pbi2_6h": {"Pb": "1a " * 4, "I": "1a " * 8},
    "pbbr2": {"Pb": "4c", "Br": "4c*0.991 4c"},
    "pb": {"Pb": "4a"},
}

# U_iso in Å² of the sites in file order; absent: not given.
U_ISO = {
    "cubic_fapbi_scaled": [0.01267] * 12,
    "gratia_2h": [0.0485, 0.0709, 0.148, 0.111],
    "gratia_4h": [0.0505, 0.1138, 0.1138, 0.0726, 0.0726, 0.31, 0.20, 0.36, 0.37],
    "gratia_6h": [0.0429, 0.0462, 0.0671, 0.0671, 0.1072, 0.1072, 0.23, 0.23, 0.23, 0.15, 0.15, 0.15],
    "pbbr2": [0.0] * 3,
    "pb": [0.0],
}

# Reflection conditions by space group (International Tables A): class of reflections, and what those present obey.
# ``r`` is hkl.T.
H, K, L = 0, 1, 2
K_PLUS_L_EVEN = ("0kl", lambda r: r[H] == 0, lambda r: (r[K] + r[L]) % 2 == 0)
H0L_H_EVEN = ("h0l", lambda r: r[K] == 0, lambda r: r[H] % 2 == 0)
C_GLIDE_ACROSS_A = (
    "hhl and its equivalents",
    lambda r: (r[H] == r[K]) | (r[K] == -2 * r[H]) | (r[H] == -2 * r[K]),
    lambda r: r[L] % 2 == 0,
)
CONDITIONS = {
    "P4/mbm": [("0kl", lambda r: r[H] == 0, lambda r: r[K] % 2 == 0), H0L_H_EVEN],
    "Pnma": [K_PLUS_L_EVEN, ("hk0", lambda r: r[L] == 0, lambda r: r[H] % 2 == 0)],
    "Pnam": [K_PLUS_L_EVEN, H0L_H_EVEN],
    "P63/mmc": [C_GLIDE_ACROSS_A],
    "P63mc": [C_GLIDE_ACROSS_A],
    "Fm-3m": [
        (
            "hkl",
            lambda r: np.ones(r.shape[1], dtype=bool),
            lambda r: ((r[H] + r[K]) % 2 == 0) & ((r[K] + r[L]) % 2 == 0),
        )
    ],
}

# The four strongest lines of a random powder in kinematical electron diffraction, down to d = 1.25 Å and without
# thermal motion: hkl of the strongest member, d in Å, Σ|F|² of the line in percent of the strongest. A line gathers
# reflections that follow each other by less than 5e-4 Å⁻¹. Computed with gemmi; no published electron values are known.
P4MBM_LINES = [
    ((2, 2, 2), 2.2274, 100.0),
    ((0, 0, 2), 3.1500, 83.0),
    ((2, 2, 4), 1.4087, 79.1),
    ((4, 0, 4), 1.286, 64.1),
]
PBI2_4H_LINES = [
    ((2, -1, 0), 2.2785, 100.0),
    ((1, 0, 3), 3.0096, 61.6),
    ((1, 0, 2), 3.4353, 60.1),
    ((3, 0, 0), 1.3155, 56.7),
]
LINES = {
    "cubic_fapbi_scaled": [
        ((0, 2, 2), 2.2274, 100.0),
        ((0, 0, 2), 3.15, 97.9),
        ((0, 2, 4), 1.4087, 82.6),
        ((4, 2, 2), 1.286, 59.9),
    ],
    "p4mbm_scaled_mixed_halide": P4MBM_LINES,
    "p4mbm_tetragonal": [
        ((2, 2, 2), 2.2493, 100.0),
        ((0, 0, 2), 3.18, 82.6),
        ((2, 2, 4), 1.4223, 79.6),
        ((4, 0, 4), 1.2985, 64.5),
    ],
    "pnma_TD_adjust_orthorhombic": [
        ((2, 4, 2), 2.2386, 100.0),
        ((2, 0, 2), 3.1519, 82.0),
        ((4, 4, 4), 1.4121, 55.9),
        ((0, 4, 0), 3.18, 42.1),
    ],
    "gratia_2h": [
        ((2, 0, 1), 3.3904, 100.0),
        ((2, 0, 2), 2.7219, 62.9),
        ((4, -2, 0), 2.1667, 62.3),
        ((4, -2, 4), 1.4604, 47.1),
    ],
    "gratia_4h": [
        ((4, -2, 0), 2.2034, 100.0),
        ((2, 0, 2), 3.4109, 95.6),
        ((2, 0, 3), 3.0489, 66.0),
        ((4, -2, 8), 1.4393, 65.8),
    ],
    "gratia_6h": [
        ((2, 0, 4), 3.1634, 100.0),
        ((4, -2, 0), 2.2109, 99.3),
        ((4, -2, 12), 1.4282, 81.0),
        ((2, 0, 3), 3.4091, 69.1),
    ],
    "pbi2_2h": [
        ((1, 0, -1), 3.4339, 100.0),
        ((1, 0, 2), 2.6132, 73.3),
        ((2, -1, 0), 2.2775, 62.9),
        ((3, -1, -1), 1.4581, 48.3),
    ],
    "pbi2_4h": PBI2_4H_LINES,
    "pbi2": PBI2_4H_LINES,
    "pbi2_6h": [
        ((2, -1, 0), 2.3357, 100.0),
        ((1, 0, 4), 3.5518, 90.8),
        ((2, -1, 16), 1.4526, 80.7),
        ((3, -1, 4), 1.4976, 43.0),
    ],
    "pbbr2": [
        ((2, 1, 1), 2.9206, 100.0),
        ((0, 3, 1), 2.6394, 90.8),
        ((2, 3, 1), 2.2079, 79.8),
        ((0, 0, 2), 2.366, 77.9),
    ],
    "pb": [((3, 1, 1), 1.4925, 100.0), ((1, 1, 1), 2.8579, 93.4), ((2, 2, 0), 1.7501, 67.2), ((2, 0, 0), 2.475, 58.1)],
}

# Strong lines of X-ray powder patterns as the literature quotes them: hkl and d in Å. The strongest comes first, the
# others in no order.
PUBLISHED_X_RAY = {
    "pb": [((1, 1, 1), 2.855), ((2, 0, 0), 2.475), ((3, 1, 1), 1.493), ((2, 2, 0), 1.750)],  # as in PDF 04-0686
    "pbi2_2h": [((1, 0, 1), 3.43), ((1, 0, 2), 2.61), ((1, 1, 0), 2.28), ((0, 0, 1), 6.98)],  # as in PDF 07-0235
    "gratia_2h": [((1, 0, 0), 7.50)],  # the δ-FAPbI3 marker at 2θ = 11.8° (Cu Kα)
    "cubic_fapbi_scaled": [((1, 0, 0), 6.30)],  # the perovskite marker at 2θ = 14.0° (Cu Kα)
}
