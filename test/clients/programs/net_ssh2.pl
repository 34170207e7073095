# What the tests ask of Perl's Net::SSH2 (libssh2). Arguments: host, port, login, key file.
use strict;
use warnings;
use Net::SSH2;

my ($host, $port, $login, $key) = @ARGV;
my $ssh = Net::SSH2->new(timeout => 15000);
$ssh->connect($host, $port) or die 'connect: ' . join ' ', $ssh->error;
$ssh->auth_publickey($login, "$key.pub", $key) or die 'sign in: ' . join ' ', $ssh->error;
my $channel = $ssh->channel or die 'channel';
$channel->exec('cat; exit 7') or die 'exec';
print $channel 'in';
$channel->send_eof;
my $out = '';
while ($channel->read(my $piece, 4096)) { $out .= $piece }
$channel->wait_closed;
print "exec $out ", $channel->exit_status, "\n";
my $sftp = $ssh->sftp or die 'sftp';
my $file = $sftp->open('by-net-ssh2', 0x42) or die 'open';
print $file 'x' x 100_000;
undef $file;
my %stat = $sftp->stat('by-net-ssh2');
print "sftp $stat{size}\n";
