-- The account of mysqlconn_exporter on MySQL 8.0.18 and later. Run it as an administrator; it prints the password that it
-- made, once: put it into the exporter's password_file.
--
-- On MySQL 5.7 write IDENTIFIED BY and a password of your own instead of IDENTIFIED BY RANDOM PASSWORD.
--
-- Replace '%' by the exporter's host. Five connections are enough for one exporter: the kept one, a probe, and what may
-- still be closing beside them. The bound makes sure that not even a fault of ours can use up the server's connections.
CREATE USER 'mysqlconn'@'%' IDENTIFIED BY RANDOM PASSWORD
  -- REQUIRE SSL
  WITH MAX_USER_CONNECTIONS 5;

-- Whoever can log in may ping and SHOW GLOBAL STATUS and SHOW GLOBAL VARIABLES, and that suffices for probes and counters. (A
-- new account has USAGE, which is the privilege to log in.)

-- To see who is connected, and who idles in a transaction:
GRANT PROCESS ON *.* TO 'mysqlconn'@'%';
-- … and by which driver:
GRANT SELECT ON performance_schema.session_connect_attrs TO 'mysqlconn'@'%';
-- To see which errors ended connections or refused them, of which account: without the log, at its default level
-- (MySQL 8 and later; take these three out for MySQL 5.7):
GRANT SELECT ON performance_schema.events_errors_summary_global_by_error TO 'mysqlconn'@'%';
GRANT SELECT ON performance_schema.events_errors_summary_by_account_by_error TO 'mysqlconn'@'%';
GRANT SELECT ON performance_schema.accounts TO 'mysqlconn'@'%';

-- To see which hosts the server refuses, for what, and which it blocks:
GRANT SELECT ON performance_schema.host_cache TO 'mysqlconn'@'%';

-- To read the error log as a table (error_log: {source: table}, or auto where the server is on another machine):
-- GRANT SELECT ON performance_schema.error_log TO 'mysqlconn'@'%';
