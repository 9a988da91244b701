package host

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// validMark is the sysctl net.ipv4.conf.all.src_valid_mark, of the network namespace
// of the thread. With it a strict rp_filter goes by the mark of received packets,
// which a firewall may have restored from the connection (ct mark), as the rules go
// by that of packets that are sent.
const validMark = "/proc/sys/net/ipv4/conf/all/src_valid_mark"

// note returns the name and the content of the file which says that the sysctl is to
// be given back. It is that of a namespace, and counts for one run of the kernel.
func (l *Link) note() (file, content string) {
	namespace, _ := os.Readlink("/proc/thread-self/ns/net") // net:[NUMBER]
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return l.config.Saved + "." + strings.Trim(namespace, "net:[]"), strings.TrimSpace(string(boot))
}

// validateMark sets the sysctl, and notes in a file that it is to be given back. The
// tunnels of a namespace share the file: the last whose rules go gives it back.
// claimed says that there were rules of a tunnel before ours. Without any, a value of
// 1 is the administrator's, whatever the file says.
func (l *Link) validateMark(claimed bool) error {
	value, err := os.ReadFile(validMark)
	if err != nil || l.config.Saved == "" {
		return nil // no IPv4, or no /proc, or it could not be given back
	}
	file, content := l.note()
	if strings.TrimSpace(string(value)) != "0" {
		if !claimed {
			_ = os.Remove(file)
		}
		return nil
	}
	if err := os.WriteFile(file, []byte(content+"\n"), 0o644); err != nil {
		return fmt.Errorf("note that src_valid_mark is to be given back: %w", err)
	}
	if err := os.WriteFile(validMark, []byte("1\n"), 0); err != nil {
		return fmt.Errorf("set src_valid_mark: %w", err)
	}
	return nil
}

// revalidateMark gives the value back that was there before the first tunnel, when
// the rules of the last are gone. A value that is not ours stays.
func (l *Link) revalidateMark() {
	rules, err := l.rules()
	if err != nil || slices.ContainsFunc(rules, ofDefault) {
		return
	}
	file, content := l.note()
	noted, err := os.ReadFile(file)
	if err != nil {
		return
	}
	value, _ := os.ReadFile(validMark)
	ours := strings.TrimSpace(string(noted)) == content && strings.TrimSpace(string(value)) == "1"
	if !ours || os.WriteFile(validMark, []byte("0\n"), 0) == nil {
		_ = os.Remove(file)
	}
}
