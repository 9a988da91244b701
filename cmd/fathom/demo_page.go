//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"

	"fathom/test/netlab"
)

// pageAt is where the tunnels of the demo serve their pages, each on the loopback of its
// own host, which no browser reaches.
const pageAt = "127.0.0.1:9586"

// listenerVariable tells the child in a user namespace which descriptor is the listener of
// the page. The child has a network of its own, which no browser reaches either.
const listenerVariable = "FATHOM_DEMO_LISTENER"

// firstFile is the descriptor of the first file that a child is given.
const firstFile = 3

// enterUserNamespace runs the demo in a child that may make namespaces.
func (d *demo) enterUserNamespace() (code int, err error) {
	if !d.page {
		return netlab.EnterUserNamespace()
	}
	l, err := listenForBrowser()
	if err != nil {
		return 0, err
	}
	defer l.Close()
	file, err := l.File()
	if err != nil {
		return 0, err
	}
	defer file.Close()
	if err := os.Setenv(listenerVariable, strconv.Itoa(firstFile)); err != nil {
		return 0, err
	}
	return netlab.EnterUserNamespaceWith([]*os.File{file})
}

// listenForBrowser returns a listener at a free port of this machine's loopback: the one
// that the parent has opened, or else a new one.
func listenForBrowser() (*net.TCPListener, error) {
	if os.Getenv(listenerVariable) != "" {
		file := os.NewFile(firstFile, "listener")
		defer file.Close()
		l, err := net.FileListener(file) // its descriptor is not for the tunnels
		if err != nil {
			return nil, fmt.Errorf("show the page: %w", err)
		}
		return l.(*net.TCPListener), nil
	}
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("show the page: %w", err)
	}
	return l, nil
}

// demoPage passes connections from this machine's loopback on to the page of a host of the
// demo.
type demoPage struct {
	l     net.Listener
	host  *netlab.Host
	shown chan struct{} // closed when a page reads events
	once  sync.Once
}

// servePage passes connections on until ctx is done.
func servePage(ctx context.Context, host *netlab.Host) (*demoPage, error) {
	l, err := listenForBrowser()
	if err != nil {
		return nil, err
	}
	p := &demoPage{l: l, host: host, shown: make(chan struct{})}
	closeWith(ctx, l)
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			closeWith(ctx, client)
			go p.pass(ctx, client)
		}
	}()
	return p, nil
}

func (p *demoPage) url() string { return "http://" + p.l.Addr().String() + "/" }

// pass passes bytes on, both ways.
func (p *demoPage) pass(ctx context.Context, client net.Conn) {
	defer client.Close()
	page, err := p.host.DialContext(ctx, "tcp", pageAt)
	if err != nil {
		return
	}
	defer page.Close()
	closeWith(ctx, page)
	var both sync.WaitGroup
	both.Go(func() { io.Copy(client, page); client.Close() })
	both.Go(func() { io.Copy(page, io.TeeReader(client, p)); page.Close() })
	both.Wait()
}

// Write takes in a part of what browsers ask for.
func (p *demoPage) Write(request []byte) (int, error) {
	if bytes.Contains(request, []byte("GET /events ")) {
		p.once.Do(func() { close(p.shown) })
	}
	return len(request), nil
}

// awaitReader waits until a browser shows the page.
func (p *demoPage) awaitReader(ctx context.Context) error {
	select {
	case <-p.shown:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
