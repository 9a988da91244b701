# The device of a tunnel from process to process: /run/lab/files has both versions, and
# `tool`, which transfers. The peer is the same command in another network namespace.
# Values are printed as NAME=VALUE; the test judges them.
cd /run/lab
trap 'code=$?; ((code)) && { journalctl -o short-precise --no-pager -u fathom@fathom -u fathom-release@fathom | tail -60; cat peer/log; }; exit $code' EXIT
trap 'echo "line $LINENO: $BASH_COMMAND"' ERR
export DEBIAN_FRONTEND=noninteractive
files=/run/lab/files
say() { printf '%s=%s\n' "$1" "$2"; }
show() { systemctl show fathom@fathom -p "$1" --value; }
await() { for _ in $(seq 1200); do eval "$1" && return; sleep 0.05; done; echo "never: $1" >&2; exit 1; }
up() { fathom wait 192.0.2.2 -c /etc/fathom/fathom.toml --timeout 2m --quiet; }
index() { cat "/sys/class/net/${1:-fathom0}/ifindex" 2>/dev/null || true; }
refused() { ip route get 10.77.0.2 >route 2>&1 && echo "by $(grep -o 'dev [^ ]*' route)" || echo refused; }
left() { { ip rule; ip -6 rule; } | grep 'proto 70' || true; { ip route show table all; ip -6 route show table all; } | grep -E 'proto 70|fathom' || true; ls -d /sys/class/net/fathom* 2>/dev/null || true; }

dpkg -i $files/older.deb
ip netns add peer
ip link add up0 type veth peer name up1 netns peer
ip addr add 192.0.2.1/24 dev up0
ip -n peer addr add 192.0.2.2/24 dev up1
ip link set up0 up
ip -n peer link set up1 up
ip -n peer link set lo up
ip route add default via 192.0.2.2 # whatever is not refused leaves
fathom init --pair 192.0.2.1:4500 192.0.2.2:4500 -d pair >commands
mkdir -p peer send watch
cp -p pair/192.0.2.2/* peer/
cp -p pair/192.0.2.1/* /etc/fathom/
chown fathom: /etc/fathom/private.key /etc/fathom/fathom.toml
sed -i '/^private_key_file/a status_socket = "/run/lab/peer/status.sock"\nlog_level = "debug"' peer/fathom.toml
sed -i '/^private_key_file/a queues = 2' /etc/fathom/fathom.toml
cp -p /etc/fathom/fathom.toml good
ip netns exec peer fathom up -c peer/fathom.toml 2>peer/log &
(cd watch && exec $files/tool watch up0,10.77.0.2) &
systemctl start fathom@fathom
up

# It is the same interface afterwards, and connections go on.
ip netns exec peer $files/tool transfer-receive 10.77.0.2:7000 >received 2>gaps &
receiver=$!
await 'ip netns exec peer ss -ltn | grep -q :7000'
(cd send && exec $files/tool transfer-send 10.77.0.2:7000) >sent &
sender=$!
$files/tool drizzle 10.77.0.2:9 >drizzled &
drizzler=$!
moved() { ip netns exec peer cat /sys/class/net/fathom0/statistics/rx_bytes; }
flows() { local before=$(moved); await "((\$(moved) > $before + 2000000))"; }
gap() { local n=$(wc -l <gaps); kill -USR1 $receiver; await "(($n < \$(wc -l <gaps)))"; tail -1 gaps; }
replaced() {
	await "[[ \$(show ActiveState) == active && \$(show MainPID) != $pid ]]"
	[[ $(index) == "$device" ]] && echo "another process, the same device" || echo "another process, another device"
}
event() { # NAME COMMAND...: while the transfer runs
	flows
	gap >/dev/null
	pid=$(show MainPID) device=$(index)
	"${@:2}"
	local result=$(replaced)
	up
	flows
	say "$1" "$result"
	say "$1_gap" "$(gap)"
}
event restart systemctl restart fathom@fathom
event crash kill -KILL "$(show MainPID)"
event upgrade dpkg -i $files/newer.deb
say upgraded "$(fathom --version | cut -d' ' -f2)"
touch send/enough
kill $drizzler
wait $sender $receiver $drizzler
cmp sent received && say hash right
say refused "$(cat drizzled)"

# A device of another shape, and of another name.
device=$(index)
sed -i 's/^queues.*/queues = 3/' /etc/fathom/fathom.toml
systemctl restart fathom@fathom
up
[[ $(index) != "$device" ]] && say queues "another device"
sed -i 's/^name = "fathom0"/name = "fathom7"/' /etc/fathom/fathom.toml
systemctl restart fathom@fathom
up
say renamed "$(ls /sys/class/net | grep fathom)$(left | grep -q fathom0 || echo ', and nothing of fathom0')"
cp -p good /etc/fathom/fathom.toml
systemctl restart fathom@fathom
up

# A mistake in the file: nothing leaves meanwhile either.
echo 'nonsense = 1' >>/etc/fathom/fathom.toml
systemctl restart fathom@fathom 2>/dev/null || true
await '[[ -z $(index) ]]'
say mistake "$(show ActiveState), $(refused)"
cp -p good /etc/fathom/fathom.toml
pid=0 device=0
systemctl start fathom@fathom
say started "$(replaced)"
up
say clear "$(cat watch/clear)"

# Stopped for good, once running and once between two attempts.
systemctl stop fathom@fathom
await '[[ -z $(left) ]]'
say stopped "$(show ActiveState)"
say released "$(systemctl is-active fathom-release@fathom || true)"
say left "$(left)"
before=$(cat watch/clear)
echo >/dev/udp/10.77.0.2/9
await "(($before < \$(cat watch/clear)))"
say opened yes

# A default route, whose rules stay as well.
sed -i 's|^allowed_ips.*|allowed_ips = ["10.77.0.2/32", "0.0.0.0/0"]|' /etc/fathom/fathom.toml
systemctl start fathom@fathom
up
pid=$(show MainPID) device=$(index)
systemctl restart fathom@fathom
say default "$(replaced)"
up
systemctl stop fathom@fathom
await '[[ -z $(left) ]]'
say default_left "$(left)"
say mark "$(cat /proc/sys/net/ipv4/conf/all/src_valid_mark)"

# What is to be refused for good.
cp -p good /etc/fathom/fathom.toml
sed -i '/^private_key_file/a on_stop = "block"' /etc/fathom/fathom.toml
systemctl start fathom@fathom
up
systemctl stop fathom@fathom
await '[[ $(systemctl is-active fathom-release@fathom) == inactive && -z $(index) ]]'
say block "$(refused)"
fathom release --blocked -c /etc/fathom/fathom.toml
say unblocked "$(left)"
kill %1 %2
