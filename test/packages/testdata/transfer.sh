# A transfer through the tunnel, from this host to its peer, which goes on until it is to
# end. `tool` is this test.
mkdir send
begin() {
	ip netns exec peer $files/tool transfer-receive 10.77.0.2:7000 >received 2>gaps &
	receiver=$!
	await 'ip netns exec peer ss -ltn | grep -q :7000'
	(cd send && exec $files/tool transfer-send 10.77.0.2:7000) >sent &
	sender=$!
}
# end waits for both ends, and compares what they say: how many bytes, and their hash.
end() {
	touch send/enough
	wait $sender $receiver
	cmp sent received && say hash right
}
moved() { ip netns exec peer cat /sys/class/net/fathom0/statistics/rx_bytes; }
# flows waits until the transfer has gone on.
flows() { local before=$(moved); await "((\$(moved) > $before + 2000000))"; }
# gap prints the longest time without a byte since it was asked before.
gap() { local n=$(wc -l <gaps); kill -USR1 $receiver; await "(($n < \$(wc -l <gaps)))"; tail -1 gaps; }
