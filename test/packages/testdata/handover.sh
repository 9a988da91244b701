# The device of a tunnel from process to process (pair.sh), at a restart, a crash and an
# upgrade, under a transfer (transfer.sh). Values are printed as NAME=VALUE; the test judges
# them.
index() { cat "/sys/class/net/${1:-fathom0}/ifindex" 2>/dev/null || true; }
refused() { ip route get 10.77.0.2 >route 2>&1 && echo "by $(grep -o 'dev [^ ]*' route)" || echo refused; }
replaced() {
	another $pid
	[[ $(index) == "$device" ]] && echo "another process, the same device" || echo "another process, another device"
}

# It is the same interface afterwards, and connections go on.
$files/tool drizzle 10.77.0.2:9 >drizzled &
drizzler=$!
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
end
kill $drizzler
wait $drizzler
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
more /etc/fathom/fathom.toml 'on_stop = "block"'
systemctl start fathom@fathom
up
systemctl stop fathom@fathom
await '[[ $(systemctl is-active fathom-release@fathom) == inactive && -z $(index) ]]'
say block "$(refused)"
fathom release --blocked -c /etc/fathom/fathom.toml
say unblocked "$(left)"
kill %1 %2
