// Package pmtud finds the PLPMTU of a path (RFC 8899).
package pmtud
