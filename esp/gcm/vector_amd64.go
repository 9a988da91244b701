package gcm

import (
	"encoding/binary"
	"errors"
	"runtime"
	"slices"
	"unsafe"
)

const (
	blockSize = 16
	// maxText is the size in bytes of the largest plaintext (SP 800-38D section
	// 5.2.1.1).
	maxText = (1<<32 - 2) * blockSize
)

var errOpen = errors.New("gcm: the packet is not authentic")

// vector is the implementation in assembly.
type vector struct {
	keys *keys
	wide bool // VAES-512
}

// keys is what the assembly reads of a key. See asm/layout.go.
type keys struct {
	round  [15][blockSize]byte
	powers [33][blockSize]byte // of H, the 33rd first, so that the 32nd begins a cache line
	_      [3][blockSize]byte  // zeros: a vector of powers may reach behind the first
	folded [33][blockSize]byte // the sum of the halves of each, twice
	_      [4][blockSize]byte
}

// job is one packet for the assembly.
type job struct {
	dst, src   *byte
	length     int // of the text; the tag is behind the ciphertext
	additional *byte
	// additionalLength is the length of the additional data.
	additionalLength int
	iv               uint64 // the bytes of the nonce as they stand in memory
	salt             uint32
	authentic        bool // set by opening
}

// The assembly relies on these numbers.
const (
	_ = -(unsafe.Offsetof(keys{}.powers) + 32*blockSize ^ 752)
	_ = -(unsafe.Offsetof(keys{}.folded) + 32*blockSize ^ 1328)
	_ = -(unsafe.Offsetof(job{}.length) ^ 16)
	_ = -(unsafe.Offsetof(job{}.additional) ^ 24)
	_ = -(unsafe.Offsetof(job{}.additionalLength) ^ 32)
	_ = -(unsafe.Offsetof(job{}.iv) ^ 40)
	_ = -(unsafe.Offsetof(job{}.salt) ^ 48)
	_ = -(unsafe.Offsetof(job{}.authentic) ^ 52)
	_ = -(unsafe.Sizeof(job{}) ^ 56)
)

//go:generate go -C asm run . -out ../gcm_amd64.s

//go:noescape
func setup(k *keys, key *byte)

//go:noescape
func seal512(k *keys, jobs *job, count int)

//go:noescape
func open512(k *keys, jobs *job, count int)

//go:noescape
func seal256(k *keys, jobs *job, count int)

//go:noescape
func open256(k *keys, jobs *job, count int)

func newVector(key []byte, wide bool) (Cipher, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	v := &vector{keys: new(keys), wide: wide}
	setup(v.keys, &key[0])
	runtime.AddCleanup(v, func(k *keys) { *k = keys{} }, v.keys)
	return v, nil
}

func (v *vector) NonceSize() int { return NonceSize }
func (v *vector) Overhead() int  { return TagSize }

func (v *vector) seal(jobs *job, count int) {
	if v.wide {
		seal512(v.keys, jobs, count)
	} else {
		seal256(v.keys, jobs, count)
	}
	runtime.KeepAlive(v) // so that the keys are not wiped before
}

func (v *vector) open(jobs *job, count int) {
	if v.wide {
		open512(v.keys, jobs, count)
	} else {
		open256(v.keys, jobs, count)
	}
	runtime.KeepAlive(v)
}

// Seal is that of cipher.AEAD.
func (v *vector) Seal(dst, nonce, plaintext, additional []byte) []byte {
	if len(nonce) != NonceSize {
		panic("gcm: a nonce has 12 bytes")
	}
	if uint64(len(plaintext)) > maxText {
		panic("gcm: the plaintext is too long")
	}
	n := len(dst)
	total := n + len(plaintext) + TagSize
	result := slices.Grow(dst, total-n)[:total]
	out := result[n:]
	checkOverlap(out, plaintext, additional)
	j := jobOf(out, plaintext, additional, nonce)
	v.seal(&j, 1)
	return result
}

// Open is that of cipher.AEAD. If the packet is not authentic, the bytes behind dst
// where the plaintext would be are zero.
func (v *vector) Open(dst, nonce, ciphertext, additional []byte) ([]byte, error) {
	if len(nonce) != NonceSize {
		panic("gcm: a nonce has 12 bytes")
	}
	length := len(ciphertext) - TagSize
	if length < 0 || uint64(length) > maxText {
		return nil, errOpen
	}
	n := len(dst)
	result := slices.Grow(dst, length)[:n+length]
	out := result[n:]
	checkOverlap(out, ciphertext, additional)
	j := jobOf(out, ciphertext[:length], additional, nonce)
	v.open(&j, 1)
	if !j.authentic {
		clear(out)
		return nil, errOpen
	}
	return result, nil
}

func jobOf(dst, text, additional, nonce []byte) job {
	return job{
		dst: unsafe.SliceData(dst), src: unsafe.SliceData(text), length: len(text),
		additional: unsafe.SliceData(additional), additionalLength: len(additional),
		salt: binary.NativeEndian.Uint32(nonce), iv: binary.NativeEndian.Uint64(nonce[SaltSize:]),
	}
}

// batchSize is how many packets one call of the assembly takes.
const batchSize = 8

func (v *vector) SealBatch(salt [SaltSize]byte, packets [][]byte) {
	for batch := range slices.Chunk(packets, batchSize) {
		var jobs [batchSize]job
		for i, p := range batch {
			jobs[i] = packetJob(salt, p)
		}
		v.seal(&jobs[0], len(batch))
	}
}

func (v *vector) OpenBatch(salt [SaltSize]byte, packets [][]byte, authentic []bool) {
	for batch := range slices.Chunk(packets, batchSize) {
		var jobs [batchSize]job
		for i, p := range batch {
			jobs[i] = packetJob(salt, p)
		}
		v.open(&jobs[0], len(batch))
		for i, p := range batch {
			authentic[i] = jobs[i].authentic
			if !authentic[i] {
				clear(p[HeaderSize : len(p)-TagSize])
			}
		}
		authentic = authentic[len(batch):]
	}
}

func packetJob(salt [SaltSize]byte, p []byte) job {
	checkPacket(p)
	text := &p[HeaderSize]
	return job{
		dst: text, src: text, length: len(p) - HeaderSize - TagSize,
		additional: &p[0], additionalLength: additionalSize,
		salt: binary.NativeEndian.Uint32(salt[:]), iv: binary.NativeEndian.Uint64(p[additionalSize:]),
	}
}
