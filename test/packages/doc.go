// Package packages tests what packaging/build makes: that the bytes are the same each
// time, what other tools say of the packages, and their life on a host with a real
// systemd (package sdlab): installed, started, upgraded in the middle of a transfer,
// removed, purged.
package packages
