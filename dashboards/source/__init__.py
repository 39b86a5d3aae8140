"""The declarations of the dashboards, a file each, and what they are written in (grafana.py)."""
