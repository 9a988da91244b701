# Reload (pair.sh), under a transfer (transfer.sh): a peer comes, a faulty file comes to
# nothing, the peer goes. Values are printed as NAME=VALUE; the test judges them.
left() { { ip rule; ip -6 rule; } | grep 'proto 70' || true; { ip route show table all; ip -6 route show table all; } | grep -E 'proto 70|fathom' || true; ls -d /sys/class/net/fathom* 2>/dev/null || true; }
# state is what a faulty file must leave as it is: the process, the SAs of each peer, routes
# and rules, but not the MTUs, which are still being found out. first is what of it is about
# the first peer alone: rules are shared.
sas() { fathom status --json | grep -E '^ *"(name|[a-z]*_spi|handshakes)":'; }
state() { show MainPID; sas; left | sed 's/ mtu .*//'; }
first() { show MainPID; sas | sed '/"second"/,$d'; ip route show 10.77.0.2 | sed 's/ mtu .*//'; }
more /etc/fathom/fathom.toml 'queues = 2' 'rekey_after = "1h"'
more peer/fathom.toml 'rekey_after = "1h"'
cp -p /etc/fathom/fathom.toml good
ip netns exec peer fathom up -c peer/fathom.toml 2>peer/log &
mkdir watch
(cd watch && exec $files/tool watch up0,10.77.0.2) &
systemctl start fathom@fathom
up
begin
flows

# Another peer, on a link of its own, which calls.
cabled second up2 198.51.100.1/24 up3 198.51.100.2/24
key=$(fathom init -d second 2>/dev/null | sed -n 's/^public key: //p')
cat >second/fathom.toml <<EOF
[tunnel]
name = "fathom0"
private_key_file = "private.key"
status_socket = "/run/lab/work/second/status.sock"
address = ["10.77.0.3/24"]
rekey_after = "1h"
[[peer]]
name = "first"
$(grep '^public_key' peer/fathom.toml)
endpoint = "198.51.100.1:4500"
allowed_ips = ["10.77.0.1/32"]
EOF
cat >>/etc/fathom/fathom.toml <<EOF

[[peer]]
name = "second"
public_key = "$key"
allowed_ips = ["10.77.0.3/32"]
EOF
ip netns exec second fathom up -c second/fathom.toml 2>second/log &
second=$!
before=$(first)
gap >/dev/null
systemctl reload fathom@fathom
say reload "$(show ActiveState)"
up second
ip netns exec second ping -c 1 -W 60 10.77.0.1 >/dev/null && say used yes
await '[[ $(show StatusText) == "2 of 2 peers up" ]]'
diff <(echo "$before") <(first) && say kept "the process, its SAs, its route"
flows
say reload_gap "$(gap)"

# Mistakes: each is told, with its line, by the log and by `systemctl status`.
cp -p /etc/fathom/fathom.toml two
sed -i 's|10.77.0.3/32|10.77.0.3/33|' /etc/fathom/fathom.toml
more /etc/fathom/fathom.toml 'log_level = "loud"'
before=$(state)
systemctl reload fathom@fathom 2>/dev/null || say faulty "$? $(show ActiveState)"
lines() { grep -o '^.*/etc/fathom/fathom.toml:[0-9]*:.*' | grep -E 'loud|10.77.0.3/33' | sed 's|.*fathom.toml:\([0-9]*\):.*|\1|' | sort -un | tr '\n' ' '; }
say mistakes "$(grep -nE 'loud|10.77.0.3/33' /etc/fathom/fathom.toml | cut -d: -f1 | tr '\n' ' ')"
say journal "$(journalctl -u fathom@fathom -o cat --no-pager | lines)"
say shown "$(systemctl status fathom@fathom --no-pager -l | lines)"
diff <(echo "$before") <(state) && say unchanged yes
flows
say faulty_gap "$(gap)"

# The peer goes, and nothing of it is left.
cp -p good /etc/fathom/fathom.toml
systemctl reload fathom@fathom
say gone "$(left | grep 10.77.0.3 || true)"
await '[[ $(show StatusText) == "1 of 1 peer up" ]]'
kill $second
wait $second || true
