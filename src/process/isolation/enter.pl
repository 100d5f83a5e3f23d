# Runs a program in user, mount, pid and IPC namespaces where bubblewrap is not installed. Plain Perl starts in 2 ms; util-linux
# needs a process for each mount. No modules are loaded: strict, warnings and constant take 5 ms, so a test compiles this file
# with the first two. What it does and reports is what bubblewrap does and reports (bubblewrap.ts).
#
#     perl enter.pl ARCHITECTURE REPORT CWD tmpfs PATH | [ro-]bind[-try] SOURCE PATH ... -- PROGRAM ARGUMENT...
#
# Three processes: the outer one waits for the program's exit and exits likewise; the init, number 1 of the namespace, makes
# the mounts and reaps orphans until none is left; the program is number 2. Mount sources are opened first, since the mounts
# hide them. With -try a source that does not exist is left out.

# Numbers of system calls.
my %calls = (
  x64 => { unshare => 272, mount => 165, prctl => 157, capset => 126 },
  arm64 => { unshare => 97, mount => 40, prctl => 167, capset => 91 },
);

# Constants, which Perl folds: of unshare, mount, open, and of prctl and capset.
sub NEWNS() { 0x20000 } sub NEWIPC() { 0x08000000 } sub NEWUSER() { 0x10000000 } sub NEWPID() { 0x20000000 }
sub RDONLY() { 1 } sub NOSUID() { 2 } sub NODEV() { 4 } sub NOEXEC() { 8 }
sub REMOUNT() { 32 } sub BIND() { 4096 } sub REC() { 16384 } sub SLAVE() { 1 << 19 }
sub O_WRONLY() { 1 } sub O_CREAT() { 0100 } sub O_PATH() { 0x200000 }
sub CAPBSET_DROP() { 24 } sub NO_NEW_PRIVS() { 38 }
sub CAP_AMBIENT() { 47 } sub CAP_AMBIENT_CLEAR_ALL() { 4 } sub CAP_VERSION() { 0x20080522 }

# Flags of a mount that a user namespace may not take away, by their names in mountinfo.
my %locked = (nosuid => 2, nodev => 4, noexec => 8, noatime => 1024, nodiratime => 2048, relatime => 1 << 21);

my ($machine, $reportTo, $cwd) = splice @ARGV, 0, 3;
my $call = $calls{$machine} or fail("its system calls on $machine are not known");
my @mounts;
while (@ARGV && (my $kind = shift @ARGV) ne '--') {
  push @mounts, $kind eq 'tmpfs' ? [$kind, undef, shift @ARGV] : [$kind, splice @ARGV, 0, 2];
}
open my $report, '>&=', $reportTo or fail("descriptor $reportTo: $!");
my ($uid, $gid) = ($>, (split ' ', $))[0]);
system_call('unshare', NEWUSER | NEWNS | NEWPID | NEWIPC);
put('/proc/self/uid_map', "$uid $uid 1");
put('/proc/self/setgroups', 'deny');
put('/proc/self/gid_map', "$gid $gid 1");

pipe my $wait, my $go or fail("pipe: $!");
pipe my $ended, my $end or fail("pipe: $!");
my $init = fork // fail("fork: $!");
if ($init == 0) {
  close $_ for $report, $go, $ended;
  be_init();
}
close $_ for $wait, $end;
my ($inode) = (readlink("/proc/$init/ns/pid") // '') =~ /(\d+)/;
syswrite $report, sprintf(qq({\n    "child-pid": %d,\n    "pid-namespace": %s\n}\n), $init, $inode // 0)
  or do { kill 'KILL', $init; fail("descriptor $reportTo: $!") };
close $_ for $report, $go;
# The outputs belong to the program: they end with its processes.
open STDOUT, '>', '/dev/null';
my $status = <$ended>;
waitpid $init, 0 unless defined $status;
exit(defined $status ? $status : 128 + ($? & 127));

sub be_init {
  my $isReported = !defined <$wait>;
  close $wait;
  make_mounts();
  drop_privileges();
  my $program = fork // fail("fork: $!");
  if ($program == 0) {
    close $end;
    chdir $cwd or fail("$cwd: $!");
    exec { $ARGV[0] } @ARGV or fail("execvp $ARGV[0]: $!", 127);
  }
  open $_, '+<', '/dev/null' for *STDIN, *STDOUT, *STDERR;
  while ((my $child = wait) > 0) {
    next if $child != $program;
    syswrite $end, ($? & 127 ? 128 + ($? & 127) : $? >> 8);
    close $end;
  }
  exit 0;
}

sub make_mounts {
  mount_at(undef, '/', undef, REC | SLAVE);
  my @opened = map { open_source($_) } @mounts;
  mount_at('proc', '/proc', 'proc', NOSUID | NODEV | NOEXEC);
  for (@opened) {
    my ($kind, $source, $path) = @$_;
    make_point($path, !defined $source || -d $source);
    if ($kind eq 'tmpfs') { mount_at('tmpfs', $path, 'tmpfs', NOSUID | NODEV, 'mode=0755'); next }
    mount_at('/proc/self/fd/' . fileno $source, $path, undef, BIND | REC);
    mount_at(undef, $path, undef, REMOUNT | BIND | RDONLY | flags_of($path)) if $kind =~ /^ro-/;
  }
  close $_->[1] for grep { defined $_->[1] } @opened;
}

sub open_source {
  my ($kind, $source, $path) = @{ $_[0] };
  return [$kind, undef, $path] if $kind eq 'tmpfs';
  my $file;
  return [$kind, $file, $path] if sysopen($file, $source, O_PATH);
  return $kind =~ /-try$/ ? () : fail("$source: $!");
}

# Makes the mount point and the folders above it, where they are missing.
sub make_point {
  my ($path, $isFolder) = @_;
  return if -e $path;
  my ($above) = $path =~ m{^(.*)/[^/]+/*$};
  make_point($above, 1) if $above ne '';
  return mkdir $path, 0700 if $isFolder;
  sysopen my $file, $path, O_WRONLY | O_CREAT, 0600;
}

sub flags_of {
  my ($path) = @_;
  open my $info, '<', '/proc/self/mountinfo' or fail("mountinfo: $!");
  my @fields = map { [split ' '] } <$info>;
  s/\\(\d{3})/chr oct $1/ge for map { $_->[4] } @fields;
  my ($last) = grep { $_->[4] eq $path } reverse @fields or fail("$path is not mounted");
  my $flags = 0;
  $flags |= $locked{$_} // 0 for split /,/, $last->[5];
  return $flags;
}

sub drop_privileges {
  system_call('prctl', NO_NEW_PRIVS, 1, 0, 0, 0);
  syscall($call->{prctl}, CAP_AMBIENT, CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  for my $capability (0 .. 63) { syscall($call->{prctl}, CAPBSET_DROP, $capability, 0, 0, 0) }
  my ($header, $none) = (pack('LL', CAP_VERSION, 0), pack('L6', (0) x 6));
  system_call('capset', $header, $none);
}

sub mount_at {
  my ($source, $path, $type, $flags, $data) = @_;
  # A call takes an undefined argument as the number 0, which is no pointer.
  my @texts = map { defined $_ ? "$_" : 0 } $source, $path, $type;
  syscall($call->{mount}, @texts, $flags, defined $data ? "$data" : 0) == 0 or fail("mount $path: $!");
}

sub system_call {
  my ($name, @arguments) = @_;
  syscall($call->{$name}, @arguments) >= 0 or fail("$name: $!");
}

sub put {
  my ($path, $text) = @_;
  open my $file, '>', $path or fail("$path: $!");
  syswrite $file, $text or fail("$path: $!");
}

sub fail {
  my ($message, $code) = @_;
  print STDERR "enter: $message\n";
  exit($code // 1);
}
