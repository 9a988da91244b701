package main

import (
	"bufio"
	"net"
)

// serveStatus answers on a status socket as a tunnel does, with a document
// that never changes.
func serveStatus(path string, document []byte) (stop func(), err error) {
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
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
	return func() { listener.Close() }, nil
}
