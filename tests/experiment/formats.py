"""Small files of every format, written by its specification, for the contract that all readers keep.

Each function takes a path without an ending and counts (ny, nx, rows, columns), and returns the file to open.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import zarr

HYPERSPY_AXES = [
    ("y", 2.0, "nm", True), ("x", 2.0, "nm", True), ("ky", 0.1, "1/nm", False), ("kx", 0.1, "1/nm", False)
]  # fmt: skip


def npy(path, counts):
    np.save(path.with_suffix(".npy"), counts)
    return path.with_suffix(".npy")


def hdf5(path, counts, name="group/counts", **options):
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        file.create_dataset(name, data=counts, **options)
    return path.with_suffix(".h5")


def zarr_array(path, counts):
    zarr.create_array(str(path.with_suffix(".zarr")), data=counts, chunks=tuple(-(-edge // 2) for edge in counts.shape))
    return path.with_suffix(".zarr")


def hspy(path, counts, axes=HYPERSPY_AXES):
    with h5py.File(path.with_suffix(".hspy"), "w") as file:
        _signal(file.create_group("Experiments/scan"), counts, axes)
        file["Experiments/scan"].create_dataset("data", data=counts)
    return path.with_suffix(".hspy")


def zspy(path, counts, axes=HYPERSPY_AXES, zarr_format=2):
    group = zarr.open_group(str(path.with_suffix(".zspy")), mode="w", zarr_format=zarr_format)
    signal = group.require_group("Experiments/scan")
    _signal(signal, counts, axes)
    signal.create_array("data", data=counts)
    return path.with_suffix(".zspy")


def _signal(group, counts, axes):
    for number, (name, scale, unit, navigate) in enumerate(axes):
        group.require_group(f"axis-{number}").attrs.update(
            name=name, scale=scale, units=unit, navigate=navigate, size=counts.shape[number], offset=0.0
        )
    group.require_group("metadata/Acquisition_instrument/TEM").attrs.update(beam_energy=200.0, camera_length=10.0)


def merlin_header(number, chips, shape, kind, arrangement, depth, time="2024-01-01 00:00:00.000000", exposure=0.001):
    """The text before a frame, padded to 384 bytes and 128 more for each further chip."""
    length = 384 if chips == 1 else 768
    fields = [
        "MQ1", f"{number:06d}", f"{length:05d}", f"{chips:02d}", f"{shape[1]:04d}", f"{shape[0]:04d}", kind,
        f"{arrangement:>6}", "0F" if chips == 4 else "01", time, f"{exposure:.6f}", "0", "0", "0", "2.0E+1", "3RX",
        "067", "MQ1A", f"{time.replace(' ', 'T')}000Z", f"{exposure * 1e9:.0f}ns", str(depth),
    ]  # fmt: skip
    return (",".join(fields) + ",").encode().ljust(length)


def mib(path, counts, hdr=True):
    """Processed frames of one chip; rows run upwards."""
    kind = {1: "U08", 2: "U16", 4: "U32"}[counts.dtype.itemsize]
    frames = counts.reshape(-1, *counts.shape[2:])[:, ::-1]
    with path.with_suffix(".mib").open("wb") as file:
        for number, frame in enumerate(frames, 1):
            file.write(
                merlin_header(number, 1, frame.shape, kind, "1x1", 12)
                + frame.astype(frame.dtype.newbyteorder(">")).tobytes()
            )
    if hdr:
        number, row = "Frames in Acquisition (Number)", "Frames per Trigger (Number)"
        text = f"HDR,\t\n{number}:\t{len(frames)}\n{row}:\t{counts.shape[1]}\nEnd\t"
        path.with_suffix(".hdr").write_text(text)
    return path.with_suffix(".mib")


def blo(path, counts):
    ny, nx, edge, _ = counts.shape
    offset = 0x1000 + ny * nx
    header = struct.pack(
        "<6sHIIIHHHHHddIHI",
        b"IMGBLO",
        0x102,
        0x1000,
        offset,
        131141,
        edge,
        0,
        nx,
        ny,
        4250,
        2.5,
        2.5,
        200_000,
        6250,
        2000,
    )
    with path.with_suffix(".blo").open("wb") as file:
        file.write(header.ljust(offset, b"\0"))
        for number, frame in enumerate(counts.reshape(-1, edge, edge)):
            file.write(b"\xaa\x55" + struct.pack("<I", number) + frame.astype("u1").tobytes())
    return path.with_suffix(".blo")


def tvips(path, counts, rotator=None, parts=1):
    frames = counts.reshape(-1, *counts.shape[2:])
    rotator = range(1, len(frames) + 1) if rotator is None else rotator
    header = struct.pack(
        "<13I", 256, 2, frames.shape[2], frames.shape[1], 8 * frames.itemsize, 0, 0, 1, 1, 0, 200, 120, 80
    )
    records = [
        struct.pack("<12I", number, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0)
        + struct.pack("<I", place)
        + bytes(28)
        + frame.tobytes()
        for number, (place, frame) in enumerate(zip(rotator, frames, strict=True))
    ]
    for part in range(parts):
        chosen = b"".join(records[part * len(records) // parts : (part + 1) * len(records) // parts])
        path.with_name(f"{path.name}_{part:03d}.tvips").write_bytes(
            (b"" if part else header.ljust(256, b"\0")) + chosen
        )
    return path.with_name(f"{path.name}_000.tvips")


def arina(path, counts, per_file=5):
    frames = counts.reshape(-1, *counts.shape[2:])
    with h5py.File(path.with_name(f"{path.name}_master.h5"), "w") as master:
        data = master.create_group("entry/data")
        master["entry/instrument/detector/detectorSpecific/photon_energy"] = 300_000.0
        for number, start in enumerate(range(0, len(frames), per_file), 1):
            name = f"{path.name}_data_{number:06d}.h5"
            with h5py.File(path.with_name(name), "w") as file:
                file.create_dataset(
                    "entry/data/data", data=frames[start : start + per_file], chunks=(1, *frames.shape[1:])
                )
            data[f"data_{number:06d}"] = h5py.ExternalLink(name, "entry/data/data")
    with h5py.File(path.with_name(f"{path.name}.h5"), "w") as file:
        file.create_group("STEM Metadata").attrs.update(
            {
                "NumPixelsX": counts.shape[1],
                "NumPixelsY": counts.shape[0],
                "Pixel Size": [0.5],
                "High Tension": [200_000.0],
            }
        )
    return path.with_name(f"{path.name}_master.h5")


def empad(path, counts):
    ny, nx, *_ = counts.shape
    records = np.zeros((ny * nx, 130, 128), "<f4")
    records[:, : counts.shape[2], : counts.shape[3]] = counts.reshape(-1, *counts.shape[2:])
    records[:, 128:] = -1
    records.tofile(path.with_name(f"{path.name}.raw"))
    path.with_suffix(".xml").write_text(
        f'<root><raw_file filename="{path.name}.raw"/><pix_x>{nx}</pix_x><pix_y>{ny}</pix_y><iom_measurements>'
        "<calibrated_pixelsize>1e8</calibrated_pixelsize><optics.get_full_scan_field_of_view>(3e-9, 4e-9)"
        "</optics.get_full_scan_field_of_view></iom_measurements></root>"
    )
    return path.with_suffix(".xml")


def emd(path, counts):
    with h5py.File(path.with_suffix(".emd"), "w") as file:
        group = file.create_group("datacube_root/datacube")
        file["datacube_root"].attrs["emd_group_type"] = "root"
        group.create_dataset("data", data=counts)
        for number, (step, unit) in enumerate([(2.0, "nm"), (2.0, "nm"), (0.01, "A^-1"), (0.01, "A^-1")]):
            group.create_dataset(f"dim{number}", data=[0.0, step]).attrs["units"] = unit
    return path.with_suffix(".emd")


def mrc(path, counts, info=None):
    frames = counts.reshape(-1, *counts.shape[2:])
    mode = {"u1": 0, "i2": 1, "f4": 2, "u2": 6}[frames.dtype.str[1:]]
    header = np.zeros(256, "<i4")
    header[:4] = frames.shape[2], frames.shape[1], len(frames), mode
    path.with_name(f"{path.name}_movie.mrc").write_bytes(
        header.tobytes() + frames.astype(frames.dtype.newbyteorder("<")).tobytes()
    )
    said = {
        "Scan - Enable": "Enable", "Scan - Type": "Raster", "Scan - Size X": counts.shape[1],
        "Scan - Size Y": counts.shape[0], "Diffraction Pixel Size X": 0.1, "Specimen Pixel Size X (nanometers)": 2,
        "Instrument Accelerating Voltage (V)": 300000, "Instrument Project Camera Length (centimeters)": -1,
    }  # fmt: skip
    text = "\n".join(f"{key:<60} = {value}" for key, value in (said | (info or {})).items())
    path.with_name(f"{path.name}_info.txt").write_text(text)
    return path.with_name(f"{path.name}_movie.mrc")


def prz(path, counts):
    calibration = [{"unit": "1/m", "value": 1e8, "offset": 0.0}] * 2 + [{"unit": "m", "value": 2e-9, "offset": 0.0}] * 2
    said = {
        "type": "4D",
        "content.types": ["CameraX", "CameraY", "ScanX", "ScanY"],
        "device.calib": calibration,
        "ref_size": [],
    }
    with path.with_suffix(".prz").open("wb") as file:
        np.savez(
            file, data=counts, meta_data_json=json.dumps([said | {"ref_size": [1, 1, 1, 1]}]), file_format_version=2
        )
    return path.with_suffix(".prz")


def ser(path, counts):
    ny, nx, rows, columns = counts.shape
    kind = {"u1": 1, "u2": 2, "u4": 3, "i4": 6, "f4": 7}[counts.dtype.str[1:]]
    size = 50 + rows * columns * counts.itemsize + 12  # twelve bytes of another thing follow each frame
    dimensions = b"".join(
        struct.pack("<IddI", edge, 0.0, 1.0, 0) + struct.pack("<I4sI1s", 4, b"Axis", 1, b"m") for edge in (nx, ny)
    )
    begin = 34 + len(dimensions)
    places = [begin + 16 * ny * nx + number * size for number in range(ny * nx)]
    header = struct.pack("<HHHIIIIQI", 0x4949, 0x197, 0x220, 0x4122, 0x4152, ny * nx, ny * nx, begin, 2) + dimensions
    header += struct.pack(f"<{ny * nx}Q", *places) + bytes(8 * ny * nx)
    element = struct.pack("<ddiddiHII", 0, 1e8, 0, 0, 1e8, 0, kind, columns, rows)
    upwards = counts.reshape(-1, rows, columns)[:, ::-1]
    frames = b"".join(element + frame.tobytes() + bytes(12) for frame in upwards)
    path.with_suffix(".ser").write_bytes(header + frames)
    return path.with_suffix(".ser")


def app5(path, counts):
    pattern = (
        '<?xml version="1.0" encoding="utf-16"?>\r\n<Metadata><Calibration><X><Scale>0.0005</Scale></X></Calibration>'
        '<Metadata><Item><Value Serializer="ImagePositionSerializer"><X>{x}</X><Y>{y}</Y></Value></Item></Metadata>'
        "</Metadata>"
    )
    with h5py.File(path.with_suffix(".app5"), "w") as file:
        file["Metadata"] = np.bytes_("<r><Name>GunHighVoltage</Name>\n<Value Serializer='String'>200000</Value></r>")
        file["image"] = counts[0, 0]
        for number in range(counts.shape[0] * counts.shape[1]):
            y, x = divmod(number, counts.shape[1])
            group = file.create_group(f"a0dba950-15bf/{number}")
            group["Data"] = counts[y, x]
            group["Metadata"] = np.bytes_(pattern.format(y=1e-7 - y * 2e-9, x=3e-7 + x * 2e-9))
    return path.with_suffix(".app5")


def dm3(path, counts, order="scan_first"):
    """Version 3: tags within groups, big-endian, and numbers, little-endian; dimensions from the fastest on."""
    kinds = {"u1": (6, 10), "u2": (10, 4), "i2": (1, 2), "i4": (7, 3), "f4": (2, 6)}
    data_type, element = kinds[counts.dtype.str[1:]]
    axes = [(2.0, "nm"), (2.0, "nm"), (0.1, "1/nm"), (0.1, "1/nm")]
    if order == "detector_first":
        counts, axes = np.ascontiguousarray(counts.transpose(2, 3, 0, 1)), axes[::-1]

    def group(*tags):
        return struct.pack(">BBi", 0, 0, len(tags)) + b"".join(tags)

    def tag(name, content):
        is_group = content[:1] == b"\0"
        return struct.pack(">BH", 20 if is_group else 21, len(name)) + name.encode() + content

    def value(kind, layout, data):
        return b"%%%%" + struct.pack(">ii", 1, kind) + struct.pack(f"<{layout}", data)

    def array(kind, data, length):
        return b"%%%%" + struct.pack(">4i", 3, 20, kind, length) + data

    def calibration(scale, unit):
        text = array(4, unit.encode("utf-16-le"), len(unit))
        return group(tag("Origin", value(6, "f", 0)), tag("Scale", value(6, "f", scale)), tag("Units", text))

    dimensions = group(*(tag("", value(5, "I", edge)) for edge in counts.shape[::-1]))
    calibrations = group(
        tag("Brightness", calibration(1, "e")),
        tag("Dimension", group(*(tag("", calibration(*axis)) for axis in axes[::-1]))),
    )
    image = group(
        tag("Calibrations", calibrations), tag("Data", array(element, counts.tobytes(), counts.size)),
        tag("DataType", value(5, "I", data_type)), tag("Dimensions", dimensions),
    )  # fmt: skip
    root = group(tag("ImageList", group(tag("", group(tag("ImageData", image), tag("ImageTags", group()))))))
    path.with_suffix(".dm3").write_bytes(struct.pack(">iii", 3, len(root), 1) + root + bytes(8))
    return path.with_suffix(".dm3")


WRITERS: dict[str, Callable[[Path, np.ndarray], Path]] = {
    function.__name__: function
    for function in (npy, hdf5, zarr_array, hspy, zspy, mib, blo, tvips, arina, empad, emd, mrc, prz, ser, app5, dm3)
}
