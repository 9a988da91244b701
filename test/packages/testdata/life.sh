# The life of the package on a host: /run/lab/files has both versions, and `tool`, which
# transfers. The peer is the same command in another network namespace. Values are
# printed as NAME=VALUE; the test judges them.
trap 'code=$?; ((code)) && { journalctl -o cat --no-pager -u fathom@fathom | tail -40; cat peer/log; }; exit $code' EXIT
status() { runuser -u fathom -- fathom status; }

dpkg -i $files/older.deb
say version "$(fathom --version | cut -d' ' -f2)"
say etc "$(stat -c '%U:%G %a' /etc/fathom)"
systemd-analyze verify --man=no fathom@fathom.service && say verify clean

# Two hosts, with the commands that `fathom init --pair` prints. The second is a network
# namespace with the files of its own.
ip netns add peer
ip link add up0 type veth peer name up1 netns peer
ip addr add 192.0.2.1/24 dev up0
ip -n peer addr add 192.0.2.2/24 dev up1
ip link set up0 up
ip -n peer link set up1 up
ip -n peer link set lo up
fathom init --pair 192.0.2.1:4500 192.0.2.2:4500 -d pair >commands
mkdir -p peer
cp -p pair/192.0.2.2/* peer/
cp -p pair/192.0.2.1/* /etc/fathom/
chown fathom: /etc/fathom/private.key /etc/fathom/fathom.toml
sed -i '/^private_key_file/a status_socket = "/run/lab/peer/status.sock"' peer/fathom.toml

systemctl enable --now fathom@fathom 2>/dev/null
say ready "$(systemctl is-active fathom@fathom)"
ip netns exec peer fathom up -c peer/fathom.toml 2>peer/log &
fathom wait 192.0.2.2 --timeout 2m
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
printf '[Service]\nWatchdogSec=5\nEnvironment=GOMAXPROCS=4 GOGC=off\n' >/run/systemd/system/fathom@.service.d/lab.conf
systemctl daemon-reload
systemctl restart fathom@fathom
fathom wait 192.0.2.2 --timeout 2m --quiet
pid=$(show MainPID)
command -v ping
strace -f -p "$pid" -P /dev/net/tun -e trace=writev -e inject=writev:delay_enter=600000000 2>strace.log &
strace=$!
await 'grep -q attached strace.log'
ip netns exec peer ping -c 1 -W 1 10.77.0.1 >/dev/null && echo "the packet loop is not blocked" && exit 1
await "journalctl -u fathom@fathom -o cat --no-pager | grep -q '^SIGABRT: abort'"
kill $strace 2>/dev/null || true
wait $strace || true # it may hold the device a moment longer
await "[[ \$(show ActiveState) == active && \$(show MainPID) != $pid ]]"
journalctl -u fathom@fathom -o cat --no-pager | grep -q 'the tunnel hangs.*busy with one packet' && say hangs told
say watchdog "$(journalctl -u fathom@fathom -o cat --no-pager | grep -c '^SIGABRT: abort')"
rm -r /run/systemd/system/fathom@.service.d
systemctl daemon-reload
systemctl restart fathom@fathom
fathom wait 192.0.2.2 --timeout 2m --quiet

# A crash.
pid=$(show MainPID)
kill -KILL "$pid"
await "[[ \$(show ActiveState) == active && \$(show MainPID) != $pid ]]"
fathom wait 192.0.2.2 --timeout 2m --quiet
say crash survived

# A mistake in the configuration is not tried again and again.
cp -p /etc/fathom/fathom.toml good
echo 'nonsense = 1' >>/etc/fathom/fathom.toml
systemctl restart fathom@fathom 2>/dev/null && say mistake ignored
say result "$(show ExecMainStatus) $(show ActiveState) $(show SubState)"
cp -p good /etc/fathom/fathom.toml
systemctl restart fathom@fathom
fathom wait 192.0.2.2 --timeout 2m --quiet

# An upgrade in the middle of a transfer. Nothing of the tunnel's networks leaves in clear.
nft add table inet lab
nft add chain inet lab out '{ type filter hook postrouting priority 0; }'
nft add rule inet lab out oifname up0 ip daddr 10.77.0.0/24 counter
mkdir -p send
ip netns exec peer $files/tool transfer-receive 10.77.0.2:7000 >received 2>gap &
receiver=$!
await 'ip netns exec peer ss -ltn | grep -q :7000'
(cd send && exec $files/tool transfer-send 10.77.0.2:7000) >sent &
sender=$!
moved() { ip netns exec peer cat /sys/class/net/fathom0/statistics/rx_bytes; }
await '(($(moved) > 5000000))'
pid=$(show MainPID)
dpkg -i $files/newer.deb
say upgraded "$(fathom --version | cut -d' ' -f2)"
[[ $(show MainPID) != "$pid" ]] && say restarted yes
fathom wait 192.0.2.2 --timeout 2m --quiet
before=$(moved)
await '(($(moved) > before + 5000000))'
touch send/enough
wait $sender $receiver
cmp sent received && say hash right
cat gap
say clear "$(nft list chain inet lab out | sed -n 's/.*counter packets \([0-9]*\).*/\1/p')"

# A default route sets a sysctl, as far as the unit lets it.
sed -i 's|^allowed_ips.*|allowed_ips = ["10.77.0.2/32", "0.0.0.0/0"]|' /etc/fathom/fathom.toml
systemctl restart fathom@fathom
say mark "$(cat /proc/sys/net/ipv4/conf/all/src_valid_mark)"
systemctl stop fathom@fathom
await '[[ $(systemctl is-active fathom-release@fathom) == inactive ]]'
say mark_after "$(cat /proc/sys/net/ipv4/conf/all/src_valid_mark)"
systemctl start fathom@fathom

dpkg -r fathom
say removed "$(systemctl is-active fathom@fathom || true)"
say left "$(ls /etc/fathom | tr '\n' ' ')"
say device "$(ls /sys/class/net | grep -c fathom0 || true)"
dpkg -P fathom
say purged "$(find / -xdev \( -path /run/lab -o -path /proc -o -path /tmp -o -path /root -o -path /work -o -path /home -o -path /var/cache/man \) -prune -o -name '*fathom*' -print | tr '\n' ' ')"
say nobody "$(getent passwd fathom || true)"
kill %1
