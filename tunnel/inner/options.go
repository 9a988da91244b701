package inner

import "slices"

// Kinds of options that mean the same in IPv4 and TCP headers.
const (
	optionEnd = 0
	optionNOP = 1
)

// TCP option kinds.
const (
	optionMSS = 2
	optionMD5 = 19 // RFC 2385
	optionAO  = 29 // RFC 5925
)

// IPv4 option types (RFC 791 section 3.1).
const (
	optionCopied            = 0x80 // flag: it stands in every fragment
	optionLooseSourceRoute  = 131
	optionStrictSourceRoute = 137
)

// nextOption takes the first option off those of an IPv4 or a TCP header,
// which have the same form. The option is empty at the end of the list. Not ok:
// the list is malformed from here on.
func nextOption(options []byte) (option, rest []byte, ok bool) {
	if len(options) == 0 || options[0] == optionEnd {
		return nil, nil, true
	}
	size := 1
	if options[0] != optionNOP {
		if len(options) < 2 || int(options[1]) < 2 || int(options[1]) > len(options) {
			return nil, nil, false
		}
		size = int(options[1])
	}
	return options[:size], options[size:], true
}

// authenticated reports whether TCP options authenticate the segment, or
// cannot be understood.
func authenticated(options []byte) bool { return hasOption(options, optionMD5, optionAO) }

// hasOption reports whether one of the kinds is among the options, or may be,
// since they cannot be understood.
func hasOption(options []byte, kinds ...uint8) bool {
	for {
		option, rest, ok := nextOption(options)
		switch {
		case !ok:
			return true
		case option == nil:
			return false
		case slices.Contains(kinds, option[0]):
			return true
		}
		options = rest
	}
}

// sourceRouted reports whether IPv4 options lead the packet to another address
// than the one in the header, or cannot be understood.
func sourceRouted(options []byte) bool {
	return hasOption(options, optionLooseSourceRoute, optionStrictSourceRoute)
}

// homeAddressed reports whether an IPv6 destination options header names
// another source than the packet's header does (RFC 6275 section 6.3), or
// cannot be understood. header is the whole extension header.
func homeAddressed(header []byte) bool {
	const pad1, homeAddress = 0, 201
	for options := header[2:]; len(options) > 0; {
		if options[0] == pad1 {
			options = options[1:]
			continue
		}
		if options[0] == homeAddress || len(options) < 2 || len(options) < 2+int(options[1]) {
			return true
		}
		options = options[2+int(options[1]):]
	}
	return false
}
