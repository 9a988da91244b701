package crypto

import (
	"crypto/hmac"
	"fmt"
	"io"
	"net/netip"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

// cookieLifetime is how long the holder presents a cookie: for that long at least
// the secret that has made it is known.
const cookieLifetime = secretLifetime

// Cookie is a proof that its holder receives at its address. The zero value
// stands for no cookie. The holder keeps a cookie for the peer that made it.
type Cookie struct {
	value [cookieSize]byte
	until time.Time
	valid bool
}

// at returns the cookie if it is still worth presenting, else the zero Cookie.
func (c Cookie) at(now time.Time) Cookie {
	if now.Before(c.until) {
		return c
	}
	return Cookie{}
}

// cookieJar makes and verifies cookies. It remembers no address: a cookie is a
// MAC of the address under a secret that changes. Any goroutine may use it.
type cookieJar struct{ secret rotatingSecret }

func cookieFor(secret []byte, from netip.AddrPort) [cookieSize]byte {
	address := from.Addr().As16()
	port := from.Port()
	return mac(secret, address[:], []byte{byte(port >> 8), byte(port)})
}

// make returns the cookie of an address.
func (j *cookieJar) make(from netip.AddrPort, now time.Time) ([cookieSize]byte, error) {
	secrets, err := j.secret.at(now)
	if err != nil {
		return [cookieSize]byte{}, err
	}
	return cookieFor(secrets.current[:], from), nil
}

// check reports whether mac2 of a message was made with a cookie of the
// sender's address.
func (j *cookieJar) check(message []byte, from netip.AddrPort, now time.Time) bool {
	end := len(message) - macSize
	if [macSize]byte(message[end:]) == [macSize]byte{} {
		return false // made without a cookie
	}
	return j.secret.matches(now, func(secret []byte) bool {
		cookie := cookieFor(secret, from)
		want := mac(cookie[:], message[:end])
		return hmac.Equal(want[:], message[end:])
	})
}

// sealCookie appends a cookie reply to a message with the given mac1, which
// binds it to that message.
func sealCookie(dst []byte, id uint32, public PublicKey, cookie [cookieSize]byte, mac1 []byte, random io.Reader) ([]byte, error) {
	key := derive(labelCookie, public)
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		return dst, fmt.Errorf("crypto: cookie reply: %w", err)
	}
	var nonce [nonceSize]byte
	if _, err := io.ReadFull(random, nonce[:]); err != nil {
		return dst, fmt.Errorf("crypto: cookie reply: %w", err)
	}
	dst = append(appendHeader(dst, CookieReply, id), nonce[:]...)
	return aead.Seal(dst, nonce[:], cookie[:], mac1), nil
}

// openCookie reads a cookie reply from the owner of the public key to our
// message with the given mac1.
func openCookie(message []byte, public PublicKey, mac1 []byte) (cookie [cookieSize]byte, err error) {
	key := derive(labelCookie, public)
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		return cookie, fmt.Errorf("crypto: cookie reply: %w", err)
	}
	nonce, sealed := message[headerSize:headerSize+nonceSize], message[headerSize+nonceSize:]
	opened, err := aead.Open(nil, nonce, sealed, mac1)
	if err != nil {
		return cookie, ErrAuth
	}
	return [cookieSize]byte(opened), nil
}
