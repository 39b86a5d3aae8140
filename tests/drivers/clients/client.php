<?php // mysqli over mysqlnd: ACT HOST PORT USER PASSWORD DATABASE; see test_drivers.py.
[, $act, $host, $port, $user, $password, $database] = $argv;
$c = new mysqli(($act === "persistent" ? "p:" : "") . $host, $user, $password, $database, (int)$port);
$c->query("SET SESSION wait_timeout = " . ($act === "idle" ? 1 : 100));
echo $c->thread_id, "\n";
if ($act === "killed" || $act === "idle") sleep(60);
fgets(STDIN);
if ($act === "close") $c->close();
