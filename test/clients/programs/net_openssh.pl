# What the tests ask of Perl's Net::OpenSSH. Arguments: host, port, login, key file, known hosts file, folder for sockets.
use strict;
use warnings;
use Net::OpenSSH;

my ($host, $port, $login, $key, $known_hosts, $folder) = @ARGV;
my $ssh = Net::OpenSSH->new(
    $host, port => $port, user => $login, key_path => $key, ctl_dir => $folder, strict_mode => 0,
    default_ssh_opts => [],
    master_opts => ['-F', 'none', -o => 'StrictHostKeyChecking=no', -o => "UserKnownHostsFile=$known_hosts", -o => 'IdentityAgent=none'],
);
$ssh->error and die 'connect: ' . $ssh->error;
my $out = $ssh->capture('echo out; exit 7');
print "exec $out", 'code ', $? >> 8, "\n";
my ($o, $e) = $ssh->capture2({ stdin_data => 'in' }, 'cat; echo err >&2');
print "both $o $e";
