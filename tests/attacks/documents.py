"""Parameter documents and crystal files made by a grammar: damaged, hostile, or well-formed and meaningless."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from difsims_core.config.documents import load_spec, read_document
from difsims_core.config.learning import TrainingSpec
from difsims_core.config.pipeline import PipelineSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.config.sweep import load_sweep
from difsims_core.crystal.phases import read_crystal
from tests.attacks.json_damage import damaged_document
from tests.attacks.kinds import Attack, Kind
from tests.attacks.npz_damage import changed_bytes
from tests.attacks.oracles import REPOSITORY, VALUE, BrokenPromiseError, private_temporary_folder
from tests.properties.crystal_damage import CANARY, DAMAGES

_NIGHT = 100_000
_YAML = (
    "!!python/object/apply:os.system [mkdir mark]", "!!python/name:os.system", "!!binary aGk=", "!!set {a}", "&a [*a]",
    "*unknown", "<<: {a: 1}", "&x [1, 2]", "[*x, *x]", "? a\n: b", "|\n  text", ">-\n  text", "'", '"\\ud800"', "\t",
    "%YAML 9.9", "---", "...", "1_000", "0o17", "1:30:00", "2026-01-01", "~", ".inf", "-.nan", "yes", "{a: 1, a: 2}",
    "[" * 300, "{" * 300, "- " * 300, "1" * 5000, "\x00", "\x85", "\u2028", "a: b: c", "<<<<<<< HEAD",
    "${HOME}", "{{ x }}",
    "\n".join(f"k{n}: &k{n} [*k{n - 1}, *k{n - 1}]" if n else "k0: &k0 [x, x]" for n in range(30)),
)  # fmt: skip


class Documents(Attack):
    """A document is read as each of the kinds that the product reads."""

    def prepare(self) -> None:
        private_temporary_folder(self.folder / "tmp")
        os.chdir(self.folder)
        specs = sorted((REPOSITORY / "deployments/specs").glob("*.yaml"))
        self._texts = [path.read_text(encoding="utf-8") for path in specs]
        self._values = [read_document(path) for path in specs] + [SimulationSpec().to_document()]
        self._readers = (
            *(partial(load_spec, kind=kind) for kind in (SimulationSpec, TrainingSpec, PipelineSpec)),
            load_sweep,
        )
        for text in (*self._texts, "a: [", "{}", "a: 1\na: 2", "phases: x", "n_patern: 3"):
            for ending in ("yaml", "json"):
                self._try(ending, text.encode())

    def _try(self, ending: str, data: bytes) -> None:
        path = self.folder / f"document.{ending}"
        path.write_bytes(data)
        for reader in self._readers:
            try:
                reader(path)
            except Exception:  # noqa: BLE001, S112 only to load what it loads
                continue

    def run(self, rng: np.random.Generator) -> str:
        ending = "json" if rng.random() < 0.3 else "yaml"
        data, path = self._made(ending, rng), self.folder / f"document.{ending}"
        self.material = {path.name: data}
        path.write_bytes(data)
        reader = self._readers[int(rng.integers(len(self._readers)))]
        found, value = self.judge.outcome(reader, path)
        if found == VALUE and hasattr(value, "to_document"):
            again, error = self.judge.outcome(_again, value)
            if again != VALUE:
                raise BrokenPromiseError(f"was read and cannot be written again: {error!s:.300}")
        check_no_mark(self.folder)
        return found

    def _made(self, ending: str, rng: np.random.Generator) -> bytes:
        if rng.random() < 0.5:
            value = damaged_document(self._values[int(rng.integers(len(self._values)))], rng)
            return json.dumps(value, ensure_ascii=bool(rng.random() < 0.5)).encode("utf-8", "surrogatepass")
        text = self._texts[int(rng.integers(len(self._texts)))]
        if ending == "json":
            text = json.dumps(self._values[-1], indent=1)
        if rng.random() < 0.4:
            return changed_bytes(text.encode(), rng)
        lines = text.split("\n")
        for _ in range(int(rng.integers(1, 4))):
            at, odd = int(rng.integers(len(lines))), _YAML[int(rng.integers(len(_YAML)))]
            key, colon, _ = lines[at].partition(": ")
            lines[at] = f"{key}{colon}{odd}" if rng.random() < 0.6 else odd if rng.random() < 0.5 else f"{odd}: 1"
        return "\n".join(lines).encode("utf-8", "surrogatepass")


def _again(spec: Any) -> None:
    if type(spec).model_validate(spec.to_document()) != spec:
        raise BrokenPromiseError("a document that is written and read again says something else")


def check_no_mark(folder: Path) -> None:
    """Refuse what smuggled code would have made."""
    if (folder / CANARY).exists():
        raise BrokenPromiseError("code in a file was run: it left its mark")


class CrystalFiles(Attack):
    """A crystal file is read as it is read to be simulated."""

    def prepare(self) -> None:
        private_temporary_folder(self.folder / "tmp")
        os.chdir(self.folder)
        places = (REPOSITORY / "crystal_files", REPOSITORY / "tests/crystal/cases")
        paths = sorted(path for place in places for path in place.glob("*.cif"))
        self._whole = [data for path in paths if len(data := path.read_bytes()) < 20_000]
        self._path = self.folder / "damaged.cif"
        for data in (
            *self._whole,
            b"",
            b"data_x\n_cell_length_a 1\n",
            *(text.encode() for text in _cif_lines(Random(1))),  # noqa: S311 not a secret
        ):
            self._path.write_bytes(data)
            try:
                read_crystal("damaged", str(self._path))
            except Exception:  # noqa: BLE001, S112 only to load what it loads
                continue

    def run(self, rng: np.random.Generator) -> str:
        random = Random(int(rng.integers(2**62)))  # noqa: S311 not a secret
        data = self._whole[random.randrange(len(self._whole))]
        if random.random() < 0.2:
            data = "\n".join(_cif_lines(random)).encode()
        for _ in range(random.randint(1, 4)):
            data = random.choice(DAMAGES)(random, data)
        self.material = {self._path.name: data}
        self._path.write_bytes(data)
        found, _ = self.judge.outcome(read_crystal, "damaged", str(self._path))
        check_no_mark(self.folder)
        return found


def _cif_lines(random: Random) -> list[str]:
    """Return a crystal file by the grammar: any tags, lists and values, in any order."""
    numbers = ("4.0", "90", "1e400", "-1", "nan", "0", "1/3", "4.05(3)", "?", ".", "1" * 400, "0.5")
    others = (
        "'P 1'",
        "'x,y,z'",
        "'-x,y+1/2,z'",
        "'x,x,x'",
        "Si",
        "Si1",
        "Xx9",
        "'F d -3 m'",
        "\n;\ntext\n;\n",
        "''",
        "227",
    )
    tags = [f"_cell_length_{axis}" for axis in "abc"] + [f"_cell_angle_{angle}" for angle in ("alpha", "beta", "gamma")]
    columns = [f"_atom_site_{name}" for name in ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy")]
    lines = ["data_a"] + [
        f"{tag} {random.choice(numbers[:2]) if random.random() < 0.8 else random.choice(numbers)}" for tag in tags
    ]
    lines += ["loop_", "_symmetry_equiv_pos_as_xyz", *(random.choice(others[1:4]) for _ in range(random.randint(0, 5)))]
    lines += ["loop_", *columns[: random.randint(1, 6)]]
    for _ in range(random.randint(0, 6)):
        lines.append(" ".join(random.choice(others[4:7] if n < 2 else numbers) for n in range(random.randint(4, 7))))
    lines += [f"_space_group_name_H-M_alt {random.choice(others)}"] * random.randint(0, 2)
    if random.random() < 0.2:
        random.shuffle(lines)
    return lines


KINDS = (Kind("documents.parameters", _NIGHT, Documents, 0.01), Kind("cif.crystals", _NIGHT, CrystalFiles, 0.006))
