# What the scripts of the laboratory share. They run with -eu, in a folder of their own.
export DEBIAN_FRONTEND=noninteractive HOME=/root
files=/run/lab/files
mkdir -p /run/lab/work
cd /run/lab/work
# dpkg would have the index of all the system's manual pages made anew each time.
rm -f /var/lib/man-db/auto-update
# say NAME VALUE prints what the test judges.
say() { printf '%s=%s\n' "$1" "$2"; }
show() { systemctl show "${2:-fathom@fathom}" -p "$1" --value; }
# await CONDITION waits for it. Two minutes only keep a failing test from hanging.
await() {
	for _ in $(seq 1200); do
		[[ -e $files/failed ]] && exit 1
		eval "$1" && return
		sleep 0.1
	done
	echo "never: $1"
	exit 1
}
trap 'echo "line $LINENO: $BASH_COMMAND"' ERR
trap 'code=$?; ((code)) && { touch $files/failed; journalctl -o short-precise --no-pager | grep -v " audit" | tail -60; [[ ! -e peer/log ]] || cat peer/log; }; exit $code' EXIT
# Documents say sudo; here root is at work. Their commands run as they stand there.
sudo() { "$@"; }
documented() { . "$files/documented/$1"; }
