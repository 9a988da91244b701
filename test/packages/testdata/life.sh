# The life of the package on a host (pair.sh): installed, started, hung, crashed, upgraded in
# the middle of a transfer, removed, purged. Values are printed as NAME=VALUE; the test judges
# them.
status() { runuser -u fathom -- fathom status; }
say version "$(fathom --version | cut -d' ' -f2)"
say etc "$(stat -c '%U:%G %a' /etc/fathom)"
systemd-analyze verify --man=no fathom@fathom.service && say verify clean

systemctl enable --now fathom@fathom 2>/dev/null
say ready "$(systemctl is-active fathom@fathom)"
ip netns exec peer fathom up -c peer/fathom.toml 2>peer/log &
up
await '[[ $(show StatusText) == "1 of 1 peer up" ]]'
say status "$(show StatusText)"
pid=$(show MainPID)
say user "$(stat -c %U /proc/$pid)"
say capabilities "$(awk '$1 == "CapEff:" { print $2 }' /proc/$pid/status)"
status >/dev/null && say asked yes
say all "$(fathom status --json | grep -c '"name": "fathom0"')"
journalctl -o json -u fathom@fathom --no-pager | grep -q '"PRIORITY":"6".*tunnel up\|tunnel up.*"PRIORITY":"6"' && say priority 6

# A packet loop is blocked: the first packet that it hands to the host takes forever. The
# watchdog, here a hasty one, ends the tunnel, and another one starts.
mkdir -p /run/systemd/system/fathom@.service.d
# The loop keeps its processor to itself, and the collector of garbage waits for it.
printf '[Service]\nWatchdogSec=10\nEnvironment=GOMAXPROCS=4 GOGC=off\n' >/run/systemd/system/fathom@.service.d/lab.conf
systemctl daemon-reload
systemctl restart fathom@fathom
up
pid=$(show MainPID)
command -v ping
strace -f -p "$pid" -P /dev/net/tun -e trace=writev -e inject=writev:delay_enter=600000000 2>strace.log &
strace=$!
await 'grep -q attached strace.log'
ip netns exec peer ping -c 1 -W 1 10.77.0.1 >/dev/null && echo "the packet loop is not blocked" && exit 1
await "journalctl -u fathom@fathom -o cat --no-pager | grep -q '^SIGABRT: abort'"
kill -KILL $strace 2>/dev/null || true # by another signal it would wait for threads that are dying
wait $strace || true # it may hold the device a moment longer
another $pid
journalctl -u fathom@fathom -o cat --no-pager | grep -q 'the tunnel hangs.*busy with one packet' && say hangs told
say watchdog "$(journalctl -u fathom@fathom -o cat --no-pager | grep -c '^SIGABRT: abort')"

# A crash; the next process has as many threads as on a machine with many processors, of
# which the collector of garbage takes a quarter.
printf '[Service]\nEnvironment=GOMAXPROCS=512 GOGC=1\n' >/run/systemd/system/fathom@.service.d/lab.conf
systemctl daemon-reload
pid=$(show MainPID)
kill -KILL "$pid"
another $pid
up
say crash survived
await 'status >/dev/null; (($(ls /proc/$(show MainPID)/task | wc -l) > 64))'
# Where the laboratory's kernel counts no tasks, nothing refuses one too many.
(($(show TasksMax) > 2 * $(ls /proc/$(show MainPID)/task | wc -l))) && say threads allowed
rm -r /run/systemd/system/fathom@.service.d
systemctl daemon-reload

# A mistake in the configuration is not tried again and again.
cp -p /etc/fathom/fathom.toml good
echo 'nonsense = 1' >>/etc/fathom/fathom.toml
# A package that restarts such a tunnel is installed all the same.
dpkg -i $files/older.deb && say reinstalled "$(dpkg-query -W -f '${Status}' fathom)"
say with_mistake "$(systemctl is-active fathom@fathom || true)"
systemctl restart fathom@fathom 2>/dev/null && say mistake ignored
say result "$(show ExecMainStatus) $(show ActiveState) $(show SubState)"
cp -p good /etc/fathom/fathom.toml
systemctl restart fathom@fathom
up

# An upgrade in the middle of a transfer. Nothing of the tunnel's networks leaves in clear.
nft add table inet lab
nft add chain inet lab out '{ type filter hook postrouting priority 0; }'
nft add rule inet lab out oifname up0 ip daddr 10.77.0.0/24 counter
begin
flows
pid=$(show MainPID)
dpkg -i $files/newer.deb
say upgraded "$(fathom --version | cut -d' ' -f2)"
[[ $(show MainPID) != "$pid" ]] && say restarted yes
up
flows
end
tail -1 gaps
say clear "$(nft list chain inet lab out | sed -n 's/.*counter packets \([0-9]*\).*/\1/p')"

# A default route sets a sysctl, as far as the unit lets it.
sed -i 's|^allowed_ips.*|allowed_ips = ["10.77.0.2/32", "0.0.0.0/0"]|' /etc/fathom/fathom.toml
systemctl restart fathom@fathom
say mark "$(cat /proc/sys/net/ipv4/conf/all/src_valid_mark)"
systemctl stop fathom@fathom
await '[[ $(systemctl is-active fathom-release@fathom) == inactive ]]'
say mark_after "$(cat /proc/sys/net/ipv4/conf/all/src_valid_mark)"
systemctl start fathom@fathom

# What the package asks of systemd is done, and fails: the package goes all the same.
mkdir failing
printf '#!/bin/sh\n%s "$@"\nexit 1\n' "$(command -v systemctl)" >failing/systemctl
chmod +x failing/systemctl
for script in 'post 2' 'preun 0' 'postun 1'; do
	(PATH=$PWD/failing:$PATH && sh -e $files/rpm-$script) && say "rpm_${script% *}" "$(systemctl is-active fathom@fathom || true)"
done
systemctl start fathom@fathom
PATH=$PWD/failing:$PATH dpkg -r fathom
say removed "$(systemctl is-active fathom@fathom || true)"
say left "$(ls /etc/fathom | tr '\n' ' ')"
say device "$(ls /sys/class/net | grep -c fathom0 || true)"
PATH=$PWD/failing:$PATH dpkg -P fathom
# What has been written since the boot, and is there; /run is another file system.
say purged "$(find /run/lab/changed /run -path /run/lab/changed/tmp -prune -o -path '/run/lab/[^c]*' -prune -o -name '*fathom*' ! -type c -print | tr '\n' ' ')"
say nobody "$(getent passwd fathom || true)"
kill %1
