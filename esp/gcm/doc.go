// Package gcm is AES-256-GCM for ESP packets.
package gcm
