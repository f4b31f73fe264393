"""The only floor that knows object stores exist: one door for ``file://`` and ``s3://``, keys, Zarr, npz."""
