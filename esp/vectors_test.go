package esp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

// published are whole ESP packets from the literature.
var published = []struct {
	source     string
	suite      Suite
	spi, seq   uint32
	keymat     string
	payload    string
	nextHeader uint8
	packet     string
}{
	{
		source: "RFC 7634 appendix A", suite: ChaCha20Poly1305, spi: 0x01020304, seq: 5, nextHeader: NextHeaderIPv4,
		keymat: "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f a0a1a2a3",
		payload: `45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec10
			0007362708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223
			2425262728292a2b2c2d2e2f3031323334353637`,
		packet: `01020304 00000005 1011121314151617
			24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c6
			14ee8099d52844eb61aa95dfab4c02f72aa71e7c4c4f64c9befe2facc638e8f3
			cbec163fac469b502773f6fb94e664da9165b82829f641e0
			76aaa8266b7fb0f7b11b369907e1ad43`,
	},
	{
		source: "draft-mcgrew-gcm-test-01, 256-bit key", suite: AES256GCM, spi: 0x4a2cbfe3, seq: 2, nextHeader: 1,
		keymat: "abbccddef00112233445566778899aababbccddef00112233445566778899aab 11223344",
		payload: `4500003069a6400080062690c0a801029389155e0a9e008b2dc57ee000000000
			7002400020bf0000020405b401010402`,
		packet: `4a2cbfe3 00000002 0102030405060708
			ff425c9b724599df7a3bcd510194e00d6a78107f1b0b1cbf06efae9d65a5d763
			748a637985771d347f0545659f14e99def842d8eb335f4eecfdbf831824b4c49
			15956c96`,
	},
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", "\n", "", "\t", "").Replace(s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPublishedPacketsAreUnderstood(t *testing.T) {
	for _, v := range published {
		t.Run(v.source, func(t *testing.T) {
			packet, keymat := unhex(t, v.packet), unhex(t, v.keymat)
			in, err := NewInbound(v.spi, v.suite, keymat)
			if err != nil {
				t.Fatal(err)
			}
			var s Scratch
			payload, nextHeader, seq, err := in.Open(&s, nil, packet)
			if err != nil || nextHeader != v.nextHeader || seq != v.seq || !bytes.Equal(payload, unhex(t, v.payload)) {
				t.Errorf("payload %x, next header %d, number %d, %v", payload, nextHeader, seq, err)
			}
			if _, _, _, err := in.Open(&s, nil, packet); !errors.Is(err, ErrReplay) {
				t.Errorf("the same once more: %v", err)
			}
		})
	}
}

// TestNotOneBitMayChange flips every bit of each published packet, and cuts it
// at every length. Each result must be refused and leave the window alone.
func TestNotOneBitMayChange(t *testing.T) {
	for _, v := range published {
		t.Run(v.source, func(t *testing.T) {
			packet := unhex(t, v.packet)
			in, err := NewInbound(v.spi, v.suite, unhex(t, v.keymat))
			if err != nil {
				t.Fatal(err)
			}
			var s Scratch
			for bit := range len(packet) * 8 {
				changed := bytes.Clone(packet)
				changed[bit/8] ^= 1 << (bit % 8)
				_, _, _, err := in.Open(&s, nil, changed)
				want := ErrAuth
				if bit < 32 {
					want = ErrUnknownSPI
				}
				if !errors.Is(err, want) && !(bit/8 >= 4 && bit/8 < 8 && errors.Is(err, ErrTooOld)) {
					t.Fatalf("bit %d: %v", bit, err)
				}
			}
			for n := range packet {
				if _, _, _, err := in.Open(&s, nil, packet[:n]); err == nil {
					t.Fatalf("%d of %d bytes are accepted", n, len(packet))
				}
			}
			if in.Window().Highest() != 0 {
				t.Errorf("the window has moved to %d", in.Window().Highest())
			}
			if _, _, _, err := in.Open(&s, nil, packet); err != nil {
				t.Errorf("the true packet afterwards: %v", err)
			}
		})
	}
}
