# Two hosts with a tunnel for Bacula, as docs/service.md says: this one, a.example.org, is
# the client, and b.example.org the storage, with the director.
cat $files/hosts >>/etc/hosts
mkdir -p /run/sshd /root/.ssh
chmod 700 /root /root/.ssh
cp $files/key.pub /root/.ssh/authorized_keys
cp $files/key /root/.ssh/id_ed25519
chmod 600 /root/.ssh/id_ed25519
for host in a b; do echo "$host.example.org $(cut -d' ' -f1,2 $files/key.pub)"; done >/root/.ssh/known_hosts
/usr/sbin/sshd -f /dev/null -h /root/.ssh/id_ed25519 -o UsePAM=no -o PermitRootLogin=yes -o 'Subsystem=sftp internal-sftp'
await '[[ -e $files/storage-listens ]]'
on_b() { ssh -n root@b.example.org "$@"; }

# Two hosts in five minutes.
mkdir -p packaging/out
cp $files/older.deb packaging/out/fathom_0_amd64.deb
documented install
on_b dpkg -i $files/older.deb
documented pair >commands
. ./commands
# A second time they change nothing on a host that has a tunnel.
: >a.example.org/private.key
say again "$( (. ./commands) 2>&1 | grep -c '^/etc/fathom/fathom.toml exists already$')"
[[ -s /etc/fathom/private.key ]] && say kept yes
documented look
say pair "$(fathom status --json | grep -c '"state": "established"')"
say peer "$(on_b systemctl is-active fathom@fathom)"

# The unit, for another tunnel.
sed 's/fathom0/fathom1/; s/4500/4501/; s|10.77.0.1/24|10.78.0.1/24|; s|10.77.0.2|10.78.0.2|' /etc/fathom/fathom.toml >/etc/fathom/office.toml
chown fathom: /etc/fathom/office.toml
documented unit || (($? == 3)) # nobody answers office
say office "$(systemctl is-active fathom@office)"
systemctl disable --now fathom@office

# Another service waits for the peer, as a user of its own; a command does so, too.
documented wait
mkdir -p /run/systemd/system
{ cat $files/documented/unit-waits; printf 'User=nobody\nType=oneshot\nExecStart=/bin/true\n'; } >/run/systemd/system/waits.service
systemctl daemon-reload
systemctl stop fathom@fathom
systemctl start waits
say waits "$(show Result waits)"

# In the place of an IPsec tunnel.
mkdir -p /etc/swanctl
cat >/etc/swanctl/swanctl.conf <<'EOF'
connections { storage {
    remote_addrs = b.example.org
    children { net { remote_ts = 10.77.0.2/32 } }
} }
EOF
documented import || say imported $?

# Bacula by Debian's units, which start after the tunnel.
documented client-order

{ echo 'sudo() { "$@"; }'; cat $files/documented/storage-order; } | ssh root@b.example.org bash -eu
cp $files/bacula-fd.conf /etc/bacula/
mkdir -p /srv/files
mkfifo /srv/files/stream
on_b "set -eu
	cp $files/bacula-{sd,dir}.conf $files/bconsole.conf /etc/bacula/
	chown bacula /etc/bacula/*.conf
	mkdir -p /srv/volumes /srv/bacula && touch /srv/bacula/query.sql
	sed 's|/var/lib/bacula|/srv/bacula|; s|XXX_DBNAME_XXX|bacula|' /usr/share/bacula-director/make_sqlite3_tables >/run/make-tables
	sh /run/make-tables >/dev/null
	chown -R bacula /srv/volumes /srv/bacula
	systemctl stop fathom@fathom
	systemctl start bacula-sd bacula-director"
systemctl stop fathom@fathom
systemctl start bacula-fd
say ordered "$(systemctl is-active fathom@fathom bacula-fd | tr '\n' ' ')$(on_b systemctl is-active fathom@fathom bacula-sd | tr '\n' ' ')"

# The job backs up a stream, whose end is ours to choose. Meanwhile both ends are upgraded.
$files/tool stream /srv/files/stream >streamed &
stream=$!
console() { ssh root@b.example.org bconsole -n -c /etc/bacula/bconsole.conf; }
await "on_b 'ss -ltn | grep -q :9101'"
echo 'run job=backup yes' | console >/dev/null
moved() { cat /sys/class/net/fathom0/statistics/tx_bytes; }
await '(($(moved 2>/dev/null || echo 0) > 3000000))'
pid=$(show MainPID)
dpkg -i $files/newer.deb
on_b dpkg -i $files/newer.deb
[[ $(show MainPID) != "$pid" ]] && say restarted yes
say upgraded "$(fathom --version | cut -d' ' -f2) $(on_b fathom --version | cut -d' ' -f2)"
fathom wait b.example.org --timeout 2m --quiet
before=$(moved)
await '(($(moved) > before + 3000000))'
kill -0 $stream && say midjob yes
touch enough
wait $stream
printf 'wait jobid=1\nmessages\n' | console >messages
grep -q 'Termination: *Backup OK' messages || cat messages
say job "$(sed -n 's/.*Termination: *//p' messages)"
say script "$(grep -c 'ClientBeforeJob: .*b.example.org' messages)"
# What is in the volume, out by the named pipe again.
say hash "$(on_b 'systemctl stop bacula-sd
	mkdir -p /srv/out/srv/files
	mkfifo /srv/out/srv/files/stream
	timeout 300 md5sum /srv/out/srv/files/stream &
	timeout 300 bextract -c /etc/bacula/bacula-sd.conf -V vol-0001 disk /srv/out >/run/extracted || cat /run/extracted >&2
	wait' | cut -d' ' -f1)"
say streamed "$(cat streamed)"

# Back to the version before.
dpkg -i $files/older.deb 2>/dev/null
fathom wait b.example.org --timeout 2m --quiet
say back "$(fathom --version | cut -d' ' -f2)"
touch $files/done
