# DBI (DRIVER: mysql or MariaDB): ACT HOST PORT USER PASSWORD DATABASE; see test_drivers.py.
use strict;
use warnings;
use DBI;
my ($act, $host, $port, $user, $password, $database) = @ARGV;
my $db = DBI->connect("dbi:$ENV{DRIVER}:host=$host;port=$port;database=$database", $user, $password, {RaiseError => 1});
$db->do("SET SESSION wait_timeout = " . ($act eq "idle" ? 1 : 100));
$| = 1;
print $db->selectrow_array("SELECT CONNECTION_ID()"), "\n";
sleep 60 if $act eq "killed" or $act eq "idle";
<STDIN>;
$db->disconnect if $act eq "close";
