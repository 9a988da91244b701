# Two hosts, with the commands that `fathom init --pair` prints: this one, which has the
# package, and a network namespace with files of its own, in which the same command runs.
# Whatever is not for the device, and not refused, leaves by up0.
dpkg -i $files/older.deb
ip netns add peer
ip link add up0 type veth peer name up1 netns peer
ip addr add 192.0.2.1/24 dev up0
ip -n peer addr add 192.0.2.2/24 dev up1
ip link set up0 up
ip -n peer link set up1 up
ip -n peer link set lo up
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
