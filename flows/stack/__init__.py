"""The whole platform on one machine: SeaweedFS, a Prefect server and a worker, started and stopped as one."""
