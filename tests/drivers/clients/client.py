"""A DB-API driver (DRIVER: pymysql or MySQLdb): ACT HOST PORT USER PASSWORD DATABASE; see test_drivers.py."""

import importlib
import os
import sys
import time

act, host, port, user, password, database = sys.argv[1:]
driver = importlib.import_module(os.environ["DRIVER"])
plain = {"ssl_disabled": True} if os.environ["DRIVER"] == "pymysql" else {}
connection = driver.connect(host=host, port=int(port), user=user, password=password, database=database, **plain)
cursor = connection.cursor()
cursor.execute("SET SESSION wait_timeout = %s", (1 if act == "idle" else 100,))
print(connection.thread_id(), flush=True)
if act in ("killed", "idle"):
    time.sleep(60)
sys.stdin.readline()
if act == "close":
    connection.close()
