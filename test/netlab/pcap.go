package netlab

import (
	"encoding/binary"
	"io"
	"time"
)

// Packet is an IP packet that was seen on an interface.
type Packet struct {
	Time time.Time
	Sent bool   // by the host that has the interface; else received
	Data []byte // from the IP header on
}

// WritePcap writes packets as a pcap file with nanosecond timestamps and link
// type RAW, which tcpdump, tshark and gopacket read.
func WritePcap(w io.Writer, packets []Packet) error {
	const (
		magicNanoseconds = 0xa1b23c4d
		versionMajor     = 2
		versionMinor     = 4
		snapLength       = 1 << 18
		linkTypeRaw      = 101
	)
	order := binary.LittleEndian
	head := order.AppendUint32(nil, magicNanoseconds)
	head = order.AppendUint16(head, versionMajor)
	head = order.AppendUint16(head, versionMinor)
	head = order.AppendUint64(head, 0) // time zone and accuracy, never used
	head = order.AppendUint32(head, snapLength)
	head = order.AppendUint32(head, linkTypeRaw)
	if _, err := w.Write(head); err != nil {
		return err
	}
	for _, p := range packets {
		record := order.AppendUint32(nil, uint32(p.Time.Unix()))
		record = order.AppendUint32(record, uint32(p.Time.Nanosecond()))
		record = order.AppendUint32(record, uint32(len(p.Data))) // captured
		record = order.AppendUint32(record, uint32(len(p.Data))) // on the wire
		if _, err := w.Write(append(record, p.Data...)); err != nil {
			return err
		}
	}
	return nil
}
