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

-- Nothing more is needed today: whoever can log in may ping and SHOW GLOBAL STATUS and SHOW GLOBAL VARIABLES. (A new account
-- has USAGE, which is the privilege to log in.)

-- To read the error log as a table (error_log: {source: table}, or auto where the server is on another machine):
-- GRANT SELECT ON performance_schema.error_log TO 'mysqlconn'@'%';

-- For later versions, which will look at sessions and at the server's own summary of errors. Not needed now:
-- GRANT PROCESS ON *.* TO 'mysqlconn'@'%';
-- GRANT SELECT ON performance_schema.* TO 'mysqlconn'@'%';
