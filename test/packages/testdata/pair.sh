# Two hosts, with the commands that `fathom init --pair` prints: this one, which has the
# package, and a network namespace with files of its own, in which the same command runs.
# Whatever is not for the device, and not refused, leaves by up0.
dpkg -i $files/older.deb
# cabled NAMESPACE HERE ADDRESS THERE ADDRESS makes a namespace, and a link to it.
cabled() {
	ip netns add "$1"
	ip link add "$2" type veth peer name "$4" netns "$1"
	ip addr add "$3" dev "$2"
	ip -n "$1" addr add "$5" dev "$4"
	ip link set "$2" up
	ip -n "$1" link set "$4" up
	ip -n "$1" link set lo up
}
cabled peer up0 192.0.2.1/24 up1 192.0.2.2/24
ip route add default via 192.0.2.2
fathom init --pair 192.0.2.1:4500 192.0.2.2:4500 -d pair >commands
mkdir peer
cp -p pair/192.0.2.2/* peer/
cp -p pair/192.0.2.1/* /etc/fathom/
chown fathom: /etc/fathom/private.key /etc/fathom/fathom.toml
# more FILE LINE... puts lines into the table [tunnel] of a configuration.
more() { sed -i "/^private_key_file/a $(printf '%s\\n' "${@:2}" | sed 's/\\n$//')" "$1"; }
more peer/fathom.toml 'status_socket = "/run/lab/work/peer/status.sock"' 'log_level = "debug"'
up() { fathom wait "${1:-192.0.2.2}" -c /etc/fathom/fathom.toml --timeout 2m --quiet; }
# another PID waits until the unit has another process.
another() { await "[[ \$(show ActiveState) == active && \$(show MainPID) != $1 ]]"; }
