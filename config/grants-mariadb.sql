-- The account of mysqlconn_exporter on MariaDB 10.4 and later. Run it as an administrator. The account is made locked, so that
-- no password stands in this file; the last statement, with a password of your own, opens it:
--
--   ALTER USER 'mysqlconn'@'%' IDENTIFIED BY '<password>' ACCOUNT UNLOCK;
--
-- Put the same password into the exporter's password_file. On the same machine no password is needed at all, if the exporter
-- runs as the system user mysqlconn and connects to the unix socket:
--
--   CREATE USER 'mysqlconn'@'localhost' IDENTIFIED VIA unix_socket WITH MAX_USER_CONNECTIONS 5;
--
-- Replace '%' by the exporter's host. Five connections are enough for one exporter: the kept one, a probe, and what may
-- still be closing beside them. The bound makes sure that not even a fault of ours can use up the server's connections.
CREATE USER 'mysqlconn'@'%'
  -- REQUIRE SSL
  WITH MAX_USER_CONNECTIONS 5
  ACCOUNT LOCK;

-- Whoever can log in may ping and SHOW GLOBAL STATUS and SHOW GLOBAL VARIABLES, and that suffices for probes and counters. (A
-- new account has USAGE, which is the privilege to log in.)

-- To see who is connected, and who idles in a transaction:
GRANT PROCESS ON *.* TO 'mysqlconn'@'%';

-- To see by which driver, and which hosts the server refuses, on servers that run with performance_schema=ON:
-- GRANT SELECT ON performance_schema.session_connect_attrs TO 'mysqlconn'@'%';
-- GRANT SELECT ON performance_schema.host_cache TO 'mysqlconn'@'%';
