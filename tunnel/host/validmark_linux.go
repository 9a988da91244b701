package host

import (
	"fmt"
	"os"
	"strings"
)

// validMark is the sysctl net.ipv4.conf.all.src_valid_mark, of the network namespace
// of the thread. With it a strict rp_filter goes by the mark of received packets,
// which a firewall may have restored from the connection (ct mark), as the rules go
// by that of packets that are sent.
const validMark = "/proc/sys/net/ipv4/conf/all/src_valid_mark"

// validateMark sets the sysctl. Its old value is kept in a file until it is given
// back, also beyond the death of the process.
func (l *Link) validateMark() error {
	value, err := os.ReadFile(validMark)
	if err != nil {
		return nil // no IPv4, or no /proc
	}
	old := strings.TrimSpace(string(value))
	if saved, err := os.ReadFile(l.config.Saved); err == nil {
		old = strings.TrimSpace(string(saved))
	}
	if old != "0" {
		return nil // it is the administrator's
	}
	if l.config.Saved != "" {
		if err := os.WriteFile(l.config.Saved, []byte(old+"\n"), 0o644); err != nil {
			return fmt.Errorf("keep the value of src_valid_mark: %w", err)
		}
	}
	if err := os.WriteFile(validMark, []byte("1\n"), 0); err != nil {
		return fmt.Errorf("set src_valid_mark: %w", err)
	}
	l.oldValidMark = old
	return nil
}

// revalidateMark gives the old value back, unless another tunnel's rules are there.
func (l *Link) revalidateMark() {
	if l.oldValidMark == "" {
		return
	}
	rules, _ := l.rules()
	for _, r := range rules {
		if r.Protocol == RuleProtocol {
			return
		}
	}
	if os.WriteFile(validMark, []byte(l.oldValidMark+"\n"), 0) == nil && l.config.Saved != "" {
		_ = os.Remove(l.config.Saved)
	}
	l.oldValidMark = ""
}
