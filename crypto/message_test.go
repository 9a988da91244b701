package crypto

import "testing"

func TestMessageType(t *testing.T) {
	of := func(kind Type, version byte, size int) []byte {
		message := make([]byte, size)
		if size > 1 {
			message[0], message[1] = byte(kind), version
		}
		return message
	}
	for _, test := range []struct {
		name    string
		message []byte
		kind    Type
		err     error
	}{
		{"an initiation", of(Initiation, version, initiationSize), Initiation, nil},
		{"a response", of(Response, version, responseSize), Response, nil},
		{"the next version", of(Initiation, version+1, initiationSize), 0, ErrVersion},
		{"the next version, of another size", of(Response, version+1, responseSize+1), 0, ErrVersion},
		{"another size", of(Response, version, responseSize+1), 0, ErrMalformed},
		{"an unknown type", of(99, version, initiationSize), 0, ErrMalformed},
		{"an unknown type of the next version", of(99, version+1, initiationSize), 0, ErrMalformed},
		{"too short", of(Initiation, version+1, headerSize-1), 0, ErrMalformed},
	} {
		if kind, err := MessageType(test.message); kind != test.kind || err != test.err {
			t.Errorf("%s: %v, %v", test.name, kind, err)
		}
	}
}
