"""Reads and writes embedding files with Python libraries: `load FILES` prints them as JSON, `make KIND FOLDER` writes some."""

import json
import sys
import zipfile
from pathlib import Path


def rows_of(matrix):
    return [[float(value) for value in row] for row in matrix]


def load(path):
    suffix = path.suffix
    if suffix == ".pt":
        import torch

        saved = torch.load(path, weights_only=True)
        torch.load(path, weights_only=True, mmap=True)
        emb = saved["emb"]
        assert emb.is_contiguous() and set(saved) == {"ids", "emb", "metadata"}
        ids = saved["ids"]
        assert len({type(value) for value in ids}) <= 1
        return ids, rows_of(emb.float().tolist()), str(emb.dtype), saved["metadata"]
    if suffix == ".npy":
        import numpy

        values = numpy.load(path, allow_pickle=False)
        beside = json.loads(path.with_suffix(".ids.json").read_text("utf-8"))
        return beside["ids"], rows_of(values), str(values.dtype), beside["metadata"]
    if suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(path, "pt") as file:
            emb = file.get_tensor("embeddings")
            ids = json.loads(bytes(file.get_tensor("ids").tolist()))
            return ids, rows_of(emb.float().tolist()), str(emb.dtype), file.metadata()
    if suffix == ".parquet":
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(path)
    else:
        import pyarrow

        with pyarrow.memory_map(str(path)) as source:
            table = pyarrow.ipc.open_file(source).read_all()
    assert table.column_names == ["id", "embedding"]
    notes = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    dtype = str(table.schema.field("embedding").type.value_type)
    names = {"float": "float32", "halffloat": "float16"}
    embedding = table.column("embedding").to_pylist()
    return table.column("id").to_pylist(), rows_of(embedding), names[dtype], notes


def make_torch(folder):
    import torch

    plain = torch.tensor([[row * 10.0 + column for column in range(3)] for row in range(4)])
    ids = [f"r{row}" for row in range(4)]
    ints = [row * 1000 - 1 for row in range(4)]
    wide = torch.zeros(6, 5)
    wide[1:5, 1:4] = plain
    spread = torch.zeros(8, 6)
    spread[::2, ::2] = plain
    kinds = {
        "plain": plain,
        "f64": plain.double(),
        "f16": plain.half(),
        "bf16": plain.bfloat16(),
        "transposed": plain.t().contiguous().t(),
        "window": wide[1:5, 1:4],
        "spread": spread[::2, ::2],
    }
    for name, emb in kinds.items():
        for legacy in (False, True):
            path = folder / f"{name}-{'legacy' if legacy else 'zip'}.pt"
            torch.save({"ids": ids, "emb": emb}, path, _use_new_zipfile_serialization=not legacy)
    torch.save({"emb": plain, "ids": ints, "other": {"deep": [plain, (1.5, None)]}}, folder / "ints.pt")
    torch.save({"embeddings": plain, "ids": torch.tensor(ints)}, folder / "ints-tensor.pt")
    torch.save({"emb": plain, "ids": torch.tensor([value for value in ints for _ in "ab"])[::2]}, folder / "ints-strided.pth")
    torch.save({"emb": plain, "ids": torch.tensor(ints, dtype=torch.int16)}, folder / "ints-16-legacy.pt", _use_new_zipfile_serialization=False)
    torch.save({"emb": plain, "ids": tuple(ids)}, folder / "tuple.pt")
    shared = torch.cat([plain, plain])
    torch.save({"emb": shared[4:], "more": shared[:4], "ids": ids}, folder / "shared-legacy.pt", _use_new_zipfile_serialization=False)
    with zipfile.ZipFile(folder / "plain-zip.pt") as source:
        with zipfile.ZipFile(folder / "deflated.pt", "w", zipfile.ZIP_DEFLATED) as target:
            for name in source.namelist():
                target.writestr(name, source.read(name))


def make_arrow(folder):
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [[row * 10.0 + column for column in range(3)] for row in range(4)]
    ids = [f"r{row}" for row in range(4)]
    ints = [row * 1000 - 1 for row in range(4)]
    fixed = pa.array(rows, pa.list_(pa.float32(), 3))
    lists = pa.array(rows, pa.list_(pa.float32()))
    tables = {
        "fixed": pa.table({"id": ids, "embedding": fixed}),
        "lists": pa.table({"id": ids, "embedding": lists}),
        "ints": pa.table({"id": pa.array(ints, pa.int64()), "embedding": lists}),
        "ints-32": pa.table({"embedding": lists, "id": pa.array(ints, pa.int32()), "more": ids}),
        "f64": pa.table({"id": ids, "embedding": pa.array(rows, pa.list_(pa.float64()))}),
        "f16": pa.table({"id": ids, "embedding": pa.array(rows, pa.list_(pa.float16()))}),
        "large": pa.table({"id": pa.array(ids, pa.large_string()), "embedding": pa.array(rows, pa.large_list(pa.float32()))}),
        "chunks": pa.concat_tables([pa.table({"id": ids[:1], "embedding": fixed[:1]}), pa.table({"id": ids[1:], "embedding": fixed[1:]})]),
    }
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet", row_group_size=3)
        with pa.OSFile(str(folder / f"{name}.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    with pa.OSFile(str(folder / "stream.arrow"), "wb") as sink, pa.ipc.new_stream(sink, tables["chunks"].schema) as writer:
        writer.write_table(tables["chunks"])
    pq.write_table(tables["lists"], folder / "plain.parquet", compression="none", use_dictionary=False, data_page_version="2.0")
    pq.write_table(tables["lists"], folder / "gzip.parquet", compression="gzip")
    pq.write_table(tables["lists"], folder / "zstd.parquet", compression="zstd")


def make_numpy(folder):
    import numpy

    plain = numpy.array([[row * 10.0 + column for column in range(3)] for row in range(4)])
    for name, values in {
        "f2": plain.astype("<f2"),
        "f4": plain.astype("<f4"),
        "f8": plain,
        "fortran": numpy.asfortranarray(plain.astype("<f4")),
    }.items():
        for version in ((1, 0), (2, 0), (3, 0)):
            path = folder / f"{name}-{version[0]}.npy"
            with path.open("wb") as file:
                numpy.lib.format.write_array(file, values, version)
            path.with_suffix(".ids.json").write_text(json.dumps([f"r{row}" for row in range(4)]))


if __name__ == "__main__":
    command, *rest = sys.argv[1:]
    if command == "load":
        for path in map(Path, rest):
            ids, values, dtype, metadata = load(path)
            kind = type(ids[0]).__name__ if ids else ""
            shown = [str(value) for value in ids]
            print(json.dumps({"ids": shown, "kind": kind, "values": values, "dtype": dtype, "metadata": metadata}))
    else:
        folder = Path(rest[1])
        folder.mkdir(parents=True, exist_ok=True)
        {"torch": make_torch, "arrow": make_arrow, "numpy": make_numpy}[rest[0]](folder)
        print(json.dumps(sorted(path.name for path in folder.iterdir())))
