"""Maps as pictures of labels: the value of a pixel is the number of its class, its colour is that of the figures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from difsims_core.errors import InputError
from difsims_core.results.maps.phase_map import PhaseMap

UNMEASURED = 255
"""Value of a pixel without a usable measurement."""
_NM_PER_INCH, _NM_PER_CENTIMETRE = 2.54e7, 1e7
_DESCRIPTION, _X_RESOLUTION, _Y_RESOLUTION, _UNIT, _CENTIMETRE = 270, 282, 283, 296, 3  # TIFF 6.0


def write_png(found: PhaseMap, path: Path) -> None:
    """Write an indexed PNG; its text chunks say what the numbers are, and its resolution the scan step."""
    said = PngInfo()
    said.add_itxt("Title", found.name)
    said.add_itxt("Software", found.describe()["software"])
    said.add_itxt("Description", _as_json(found))
    step = found.scan_step_nm
    resolution = {} if step is None else {"dpi": (_NM_PER_INCH / step, _NM_PER_INCH / step)}
    _indexed(found).save(path, format="PNG", pnginfo=said, optimize=False, **resolution)


def write_tiff(found: PhaseMap, path: Path) -> None:
    """Write a TIFF with a colour table; its description says what the numbers are, its resolution the scan step."""
    said = ImageFileDirectory_v2()
    said[_DESCRIPTION] = _as_json(found)
    if found.scan_step_nm is not None:
        said[_UNIT] = _CENTIMETRE
        said[_X_RESOLUTION] = said[_Y_RESOLUTION] = _NM_PER_CENTIMETRE / found.scan_step_nm
    _indexed(found).save(path, format="TIFF", compression="tiff_adobe_deflate", tiffinfo=said)


def _indexed(found: PhaseMap) -> Image.Image:
    if len(found.phases) > UNMEASURED:
        raise InputError(
            f"a picture of labels tells {UNMEASURED} phases apart, and the map has {len(found.phases)}",
            "export it as .hspy or .h5",
        )
    image = Image.fromarray(np.where(found.labels < 0, UNMEASURED, found.labels).astype(np.uint8))
    colours = np.zeros((UNMEASURED + 1, 3), np.uint8)
    colours[: len(found.colours)], colours[UNMEASURED] = found.colours, found.unmeasured
    image.putpalette(colours.tobytes())
    return image


def _as_json(found: PhaseMap) -> str:
    """Return what is said of a map in ASCII, as both formats take it, with the values of pixels by phase."""
    values = {name: number for number, name in enumerate(found.phases)}
    return json.dumps({**found.describe(), "values": values, "unmeasured": UNMEASURED})
