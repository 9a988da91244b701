package esp

import (
	"fmt"
	"net/netip"
)

// wiresharkNames are the algorithms by the names of Wireshark's esp_sa table.
var wiresharkNames = map[Suite]string{
	AES256GCM:        "AES-GCM with 16 octet ICV [RFC4106]",
	ChaCha20Poly1305: "ChaCha20 with Poly1305 [RFC7634]",
}

// AppendKeyLogLine appends one SA as a line of Wireshark's esp_sa table, with
// which Wireshark and tshark decode its packets (Wireshark before 4.2 knows
// AES-GCM alone). The line contains the key: it is for debugging, on the
// user's explicit wish.
func AppendKeyLogLine(dst []byte, source, destination netip.Addr, spi uint32, s Suite, keymat []byte) []byte {
	family := "IPv4"
	if destination.Is6() {
		family = "IPv6"
	}
	return fmt.Appendf(dst, "%q,%q,%q,\"0x%08x\",%q,\"0x%x\",\"NULL\",\"\"\n",
		family, wiresharkAddress(source), wiresharkAddress(destination), spi, wiresharkNames[s], keymat)
}

// wiresharkAddress leaves an address that is not known to match any.
func wiresharkAddress(a netip.Addr) string {
	if !a.IsValid() || a.IsUnspecified() {
		return "*"
	}
	return a.WithZone("").String()
}
