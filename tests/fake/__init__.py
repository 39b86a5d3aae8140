"""Servers that lie."""
