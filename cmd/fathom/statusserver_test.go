package main

import (
	"bufio"
	"net"
	"testing"
)

// serveStatus answers on a status socket as a tunnel does, with a document
// that never changes.
func serveStatus(t *testing.T, path string, document []byte) error {
	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if line, _ := bufio.NewReader(conn).ReadString('\n'); line == "status\n" || line == "probe storage\n" {
				conn.Write(document)
			}
			conn.Close()
		}
	}()
	return nil
}
